package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/slipway-boot/slipway/oci"
)

func jsonFlag(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVar(on, "json", false, "print JSON")
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// table is an answer for people: rows of a name and a value.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer) table { return table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// row adds a line. A row without a name goes on with the one above.
func (t table) row(name, format string, args ...any) {
	fmt.Fprintf(t.w, "%s\t%s\n", name, printable(fmt.Sprintf(format, args...)))
}

func (t table) flush() error { return t.w.Flush() }

// printable replaces what could move the cursor: registries, images and
// payloads are not to be trusted with a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// signers adds rows for who signed, each key with its annotations once.
func (t table) signers(list []oci.Signer) {
	if len(list) == 0 {
		t.row("signed by", "nobody: the policy accepts it without a signature")
	}
	for i, s := range list {
		same := func(o oci.Signer) bool { return o.KeyID == s.KeyID && maps.Equal(o.Annotations, s.Annotations) }
		if slices.ContainsFunc(list[:i], same) {
			continue
		}
		var formats []string
		for _, o := range list[i:] {
			if same(o) && !slices.Contains(formats, o.Format) {
				formats = append(formats, o.Format)
			}
		}
		t.row("signed by", "%s (%s)", s.KeyID, strings.Join(formats, ", "))
		for _, key := range slices.Sorted(maps.Keys(s.Annotations)) {
			t.row("", "%s=%s", key, s.Annotations[key])
		}
	}
}

// printFindings lists every signature that was looked at, with its verdict.
func printFindings(w io.Writer, findings []oci.Finding) {
	if len(findings) > 0 {
		fmt.Fprintln(w, "signatures looked at:")
	}
	for i, f := range findings {
		verdict := "not counted"
		if f.Counted {
			verdict = "counted"
		}
		line := fmt.Sprintf("  %-11s  %-6s  %-12.12s  %s", verdict, f.Format, f.KeyID, shortDigests(f.Source))
		fmt.Fprintln(w, printable(strings.TrimRight(line, " ")))
		more := i+1 < len(findings) && findings[i+1].Reason == f.Reason // said once for all of them
		if f.Reason != "" && !more {
			fmt.Fprintln(w, printable("               "+shortDigests(f.Reason)))
		}
	}
}

var fullDigest = regexp.MustCompile(`(sha256:[0-9a-f]{12})[0-9a-f]{52}\b`)

// shortDigests abbreviates digests in what people read; JSON has them whole.
func shortDigests(s string) string { return fullDigest.ReplaceAllString(s, "$1…") }
