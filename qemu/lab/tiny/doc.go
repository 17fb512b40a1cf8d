// Package tiny is the system inside the lab's tiny boot image: one static
// program that runs as PID 1, looks at the machine it woke up in, reports
// that as one line of JSON and powers off. VM tests decode the line with
// [Report].
//
// The program (qemu/lab/guest) calls [Run]. What it does can be changed with
// words on the kernel command line:
//
//	tiny.check=hash   compare every file of the root with [SumsFile]
//	tiny.wait=N       wait N seconds before looking (N at most 600)
//	tiny.sum=/PATH    add the file's SHA-256 to the report; may be repeated
//	tiny.walk         describe every inode of the root's file system
//
// The report goes to [ReportDevice], a second serial port, so that it never
// mixes with console messages; [Marker] on the console follows it.
package tiny
