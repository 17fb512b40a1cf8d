package kexecer

import (
	"errors"
	"fmt"
	"strings"
)

// MaxCmdline is the longest command line in bytes that an x86 kernel takes:
// COMMAND_LINE_SIZE is 2048 with the final NUL (arch/x86/include/asm/setup.h).
const MaxCmdline = 2047

// ErrCmdline is wrapped by every refusal of a command line or an argument.
var ErrCmdline = errors.New("kernel command line")

// Split cuts a command line into its arguments as the kernel does
// (lib/cmdline.c, next_arg): white space separates, double quotes protect it
// and have no escapes. The arguments keep their quotes. An argument "--" ends
// the kernel's own and is returned like any other.
func Split(line string) []string {
	var args []string
	start, quoted := -1, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
			if start < 0 {
				start = i
			}
		case isSpace(c) && !quoted:
			if start >= 0 {
				args = append(args, line[start:i])
				start = -1
			}
		case start < 0:
			start = i
		}
	}
	if start >= 0 {
		args = append(args, line[start:])
	}
	return args
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r'
}

// Param takes one argument apart into key and value, without the quotes that
// the kernel removes: k="a b", "k=a b" and k=a b in quotes mean the same.
// hasValue is false for a bare word.
func Param(arg string) (key, value string, hasValue bool) {
	arg, whole := strings.CutPrefix(arg, `"`)
	if whole {
		arg = strings.TrimSuffix(arg, `"`)
	}
	key, value, hasValue = strings.Cut(arg, "=")
	if v, ok := strings.CutPrefix(value, `"`); ok {
		value = strings.TrimSuffix(v, `"`)
	}
	return key, value, hasValue
}

// Join puts arguments together into a command line. Each must be exactly one
// argument for Split; one that would become two, or the end of a quote in the
// next, is refused, and so is a line longer than MaxCmdline.
func Join(args []string) (string, error) {
	for _, arg := range args {
		if strings.ContainsAny(arg, "\x00\n") {
			return "", fmt.Errorf("%w: argument %q holds a line break or NUL", ErrCmdline, arg)
		}
		if got := Split(arg); len(got) != 1 || got[0] != arg || strings.Count(arg, `"`)%2 != 0 {
			return "", fmt.Errorf("%w: %q is not one argument: expected quotes around white space and in pairs", ErrCmdline, arg)
		}
	}
	line := strings.Join(args, " ")
	if len(line) > MaxCmdline {
		return "", fmt.Errorf("%w: expected at most %d bytes, got %d: %.60s…", ErrCmdline, MaxCmdline, len(line), line)
	}
	return line, nil
}

// SameKey reports whether two parameter names are the same to the kernel,
// which takes '-' for '_' (kernel/params.c, parameqn).
func SameKey(a, b string) bool {
	return strings.ReplaceAll(a, "-", "_") == strings.ReplaceAll(b, "-", "_")
}
