//go:build vm

package qemu_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/slipway-boot/slipway/qemu"
)

// The harness must fail when it should. A machine without a disk stops in its
// firmware at once and for ever, which is all that some of these tests need.

// record runs f as a test of its own and returns what became of it, and the
// directory that it left behind, if any.
func record(t *testing.T, f func(tb qemu.TB)) (*recorder, string) {
	t.Helper()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var r recorder
	r.run(f)
	left, err := filepath.Glob(tmp + "/*")
	if err != nil || len(left) > 1 {
		t.Fatalf("expected at most one directory, got %q, %v", left, err)
	}
	if n := machinesIn(t, tmp); n > 0 {
		t.Errorf("%d machines outlived their test", n)
	}
	return &r, strings.Join(left, "")
}

// machinesIn counts the processes whose command line names a directory.
func machinesIn(t *testing.T, dir string) (n int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		if line, err := os.ReadFile(file); err == nil && bytes.Contains(line, []byte("path="+dir)) {
			n++
		}
	}
	return n
}

// checkEvidence checks what a failed test leaves behind.
func checkEvidence(t *testing.T, r *recorder, dir string) {
	t.Helper()
	if !r.failed || dir == "" {
		t.Fatalf("expected a failure and its directory, got %v, %q", r.failed, dir)
	}
	if want := "repeat the run with:\n  sh " + dir + "/" + qemu.RepeatFile; !strings.Contains(r.text(), want) {
		t.Errorf("expected %q in:\n%s", want, r.text())
	}
	for _, name := range []string{qemu.ConsoleFile, qemu.ReportFile, qemu.ErrorsFile, qemu.RepeatFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestFailsWithoutWait(t *testing.T) {
	r, dir := record(t, func(tb qemu.TB) { qemu.StartT(tb, qemu.Options{}) })
	checkEvidence(t, r, dir)
	if !strings.Contains(r.text(), "without calling Wait") {
		t.Errorf("expected a word about Wait, got:\n%s", r.text())
	}
}

func TestPassLeavesNothing(t *testing.T) {
	r, dir := record(t, func(tb qemu.TB) {
		vm := qemu.StartT(tb, qemu.Options{})
		vm.Kill()
		vm.WaitT(tb, soon, qemu.Killed)
	})
	if r.failed || dir != "" {
		t.Errorf("expected a pass and nothing left, got %q and:\n%s", dir, r.text())
	}
}

func TestFailsOnTimeout(t *testing.T) {
	r, dir := record(t, func(tb qemu.TB) {
		vm := qemu.StartT(tb, qemu.Options{})
		vm.ExpectT(tb, time.Second, "never")
		t.Error("the test went on")
	})
	checkEvidence(t, r, dir)
	for _, want := range []string{`expect "never": timed out`, "the console stayed empty", "ended by killed"} {
		if !strings.Contains(r.text(), want) {
			t.Errorf("expected %q in:\n%s", want, r.text())
		}
	}
}

func TestFailsAtDeadline(t *testing.T) {
	r, dir := record(t, func(tb qemu.TB) {
		tb.(*recorder).deadline = time.Now().Add(12 * time.Second) // of which 10 are for the explanation
		qemu.StartT(tb, qemu.Options{}).ExpectT(tb, soon, "never")
	})
	checkEvidence(t, r, dir)
	if want := "machine ended: killed (the test's deadline is near)"; !strings.Contains(r.text(), want) {
		t.Errorf("expected %q in:\n%s", want, r.text())
	}
}

func TestFailsOnPanic(t *testing.T) {
	o := guest(t, "do=panic")
	start := time.Now()
	r, dir := record(t, func(tb qemu.TB) {
		qemu.StartT(tb, o).ExpectT(tb, boot, "never")
	})
	checkEvidence(t, r, dir)
	if time.Since(start) > boot {
		t.Errorf("a panic should end the wait early, took %v", time.Since(start))
	}
	for _, want := range []string{qemu.ErrPanic.Error(), "---[ end Kernel panic", "ended by panic"} {
		if !strings.Contains(r.text(), want) {
			t.Errorf("expected %q in:\n%s", want, r.text())
		}
	}
	console, err := os.ReadFile(filepath.Join(dir, qemu.ConsoleFile))
	if err != nil || !regexp.MustCompile(`(?m)^\[ +\d+\.\d{3}\] guest: hello$`).Match(console) {
		t.Errorf("console log: got %q, %v", console, err)
	}
}

func TestFailsOnEarlyExit(t *testing.T) {
	o := guest(t, "do=poweroff")
	r, dir := record(t, func(tb qemu.TB) {
		qemu.StartT(tb, o).ExpectT(tb, boot, "never")
	})
	checkEvidence(t, r, dir)
	if want := "machine ended: shutdown after"; !strings.Contains(r.text(), want) {
		t.Errorf("expected %q in:\n%s", want, r.text())
	}
	repeats(t, dir)
}

// repeats checks that the script in dir runs the same machine again.
func repeats(t *testing.T, dir string) {
	again := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, qemu.RepeatFile))
	again.WaitDelay = time.Second
	out, err := again.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("guest: hello")) {
		t.Errorf("repeat: got %v:\n%s", err, out)
	}
}

func TestFailsForWrongReason(t *testing.T) {
	r, dir := record(t, func(tb qemu.TB) {
		vm := qemu.StartT(tb, qemu.Options{})
		vm.Kill()
		vm.WaitT(tb, soon, qemu.Shutdown)
	})
	checkEvidence(t, r, dir)
	if want := "expected shutdown, got killed"; !strings.Contains(r.text(), want) {
		t.Errorf("expected %q in:\n%s", want, r.text())
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	o := qemu.Options{Dir: t.TempDir(), Disks: []qemu.Disk{{Path: "/no/such/disk"}}}
	if _, err := qemu.Start(t.Context(), o); !errors.Is(err, qemu.ErrStart) || !strings.Contains(err.Error(), "/no/such/disk") {
		t.Errorf("expected %v with QEMU's words, got %v", qemu.ErrStart, err)
	}
}

// keepVMEnv makes the test binary start a machine in the directory it names
// and wait for ever.
const keepVMEnv = "SLIPWAY_TEST_KEEP_VM"

// keepVM does what keepVMEnv asks for.
func keepVM() bool {
	dir := os.Getenv(keepVMEnv)
	if dir == "" {
		return false
	}
	var r recorder
	qemu.StartT(&r, qemu.Options{Dir: dir})
	fmt.Println("started")
	select {}
}

func TestNoMachineOutlivesItsProcess(t *testing.T) {
	dir := t.TempDir()
	self := exec.CommandContext(t.Context(), os.Args[0])
	self.Env = append(os.Environ(), keepVMEnv+"="+dir)
	out, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("started"))); err != nil {
		t.Fatal(err)
	}
	if n := machinesIn(t, dir); n != 1 {
		t.Fatalf("expected one machine, got %d", n)
	}
	self.Process.Kill()
	self.Wait()
	for end := time.Now().Add(soon); machinesIn(t, dir) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the machine outlived its process")
		}
	}
}
