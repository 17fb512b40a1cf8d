package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/internal/nearest"
)

// takes makes the check that a command gets exactly these arguments, and the
// flags it cannot do without.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 0 && cmd.HasSubCommands():
			return unknownCommand(cmd, args[0])
		case len(args) > 0 && len(names) == 0:
			return wrongCall(cmd, fmt.Errorf("%s: expected no argument, got %q", cmd.Name(), args[0]))
		case len(args) != len(names):
			return wrongCall(cmd, fmt.Errorf("%s: expected %s, got %d arguments", cmd.Name(), strings.Join(names, " "), len(args)))
		}
		if err := cmd.ValidateRequiredFlags(); err != nil {
			return wrongCall(cmd, fmt.Errorf("%s: %w", cmd.Name(), err))
		}
		return nil
	}
}

// unknownCommand names the nearest command that there is.
func unknownCommand(parent *cobra.Command, name string) error {
	hint := "see " + parent.CommandPath() + " --help"
	var known []string
	for _, c := range parent.Commands() {
		known = append(known, c.Name())
	}
	if near := nearest.Word(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %q? %s", near, hint)
	}
	return usageError{hinted{fmt.Errorf("%s: unknown command %q", parent.CommandPath(), name), hint}}
}

// knownTopic checks that the arguments of help lead to a command.
func knownTopic(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err != nil {
		return wrongCall(cmd.Root(), err)
	}
	if len(rest) > 0 {
		return unknownCommand(found, rest[0])
	}
	return nil
}

// choice is a flag with a few values. The first is the default.
type choice struct {
	value string
	all   []string
}

func newChoice(all ...string) choice { return choice{all[0], all} }

// add makes c a flag of cmd. In usage, the word in backquotes stands for the
// value.
func (c *choice) add(cmd *cobra.Command, name, usage string) {
	cmd.Flags().Var(c, name, usage+": "+c.list())
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(c.all, cobra.ShellCompDirectiveNoFileComp))
}

func (c *choice) list() string {
	last := len(c.all) - 1
	return strings.Join(c.all[:last], ", ") + " or " + c.all[last]
}

// String implements pflag.Value.
func (c *choice) String() string { return c.value }

// Set implements pflag.Value.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.all, s) {
		return fmt.Errorf("expected %s", c.list())
	}
	c.value = s
	return nil
}

// Type implements pflag.Value.
func (c *choice) Type() string { return "word" }

// size is a flag with a number of bytes, as 2G or 900M; zero is none.
type size int64

// maxSize is more memory than any machine has.
const maxSize = 1 << 50

// units are binary, as those of QEMU's -m are.
var units = map[string]uint{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}

// String implements pflag.Value: what Set would take.
func (s *size) String() string {
	switch n := int64(*s); {
	case n == 0:
		return ""
	case n%(1<<30) == 0:
		return fmt.Sprintf("%dG", n>>30)
	case n%(1<<20) == 0:
		return fmt.Sprintf("%dM", n>>20)
	default:
		return strconv.FormatInt(n, 10)
	}
}

// Set implements pflag.Value.
func (s *size) Set(text string) error {
	number := strings.TrimRight(text, "kKmMgGtTiB")
	unit := strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(text[len(number):], "B"), "i"))
	shift, ok := units[unit]
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || !ok || n == 0 || n > maxSize>>shift {
		return fmt.Errorf("expected a size as 900M or 2G")
	}
	*s = size(n << shift)
	return nil
}

// Type implements pflag.Value.
func (s *size) Type() string { return "size" }

// mebibytes rounds up.
func (s size) mebibytes() int64 { return mebibytes(int64(s)) }

func mebibytes(n int64) int64 { return (n + 1<<20 - 1) >> 20 }
