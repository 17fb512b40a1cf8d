package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// passwordVars are read in this order; the second is cosign's.
var passwordVars = []string{"SLIPWAY_PASSWORD", "COSIGN_PASSWORD"}

func passwordFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "password-file", "", "read the private key's password from the first line of `file`\n(else $SLIPWAY_PASSWORD, $COSIGN_PASSWORD, or the terminal)")
}

// password finds the private key's password; twice asks for it again, for a
// new key.
func password(cmd *cobra.Command, file string, twice bool) ([]byte, error) {
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("password: %w", err)
		}
		line, _, _ := bytes.Cut(data, []byte("\n"))
		return bytes.TrimSuffix(line, []byte("\r")), nil
	}
	for _, name := range passwordVars {
		if value, ok := os.LookupEnv(name); ok {
			return []byte(value), nil
		}
	}
	in := cmd.InOrStdin()
	if !isTerminal(in) {
		return nil, usageError{hinted{errors.New("password: no terminal to ask on"), "use --password-file or set $SLIPWAY_PASSWORD"}}
	}
	first, err := ask(cmd.Context(), in.(*os.File), cmd.ErrOrStderr(), "Password for the private key: ")
	if err != nil || !twice {
		return first, err
	}
	second, err := ask(cmd.Context(), in.(*os.File), cmd.ErrOrStderr(), "The same again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, errors.New("password: the two are not the same")
	}
	return first, nil
}

// ask reads a line without showing it. If ctx ends first, the terminal gets
// its old state back; the reader goes with the program.
func ask(ctx context.Context, terminal *os.File, w io.Writer, prompt string) ([]byte, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	fmt.Fprint(w, prompt)
	defer fmt.Fprintln(w)
	type answer struct {
		line []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		return a.line, a.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}
