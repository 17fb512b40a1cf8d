// Package shape checks the form of this repository: which package may import
// which ([Imports]), that every exported name is documented ([Undocumented]),
// that links in documents lead somewhere ([DeadLinks]), that no file names the
// machine it was written on ([ForbiddenWords]), and how long functions and
// files are ([Measure]).
//
// All of them look at a source tree and change nothing. make check prints what
// they find; the package's own tests hold the import direction and compare the
// documents with the code.
package shape

import "fmt"

// Finding is one place that breaks a rule.
type Finding struct {
	Where string // a package, or file:line
	What  string
}

// String returns one line.
func (f Finding) String() string { return f.Where + ": " + f.What }

func found(where, format string, args ...any) Finding {
	return Finding{where, fmt.Sprintf(format, args...)}
}
