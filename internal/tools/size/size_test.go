package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-boot/slipway/internal/tools/sample"
)

func TestPackageOf(t *testing.T) {
	for symbol, want := range map[string]string{
		"crypto/tls.(*Conn).Read":                        "crypto/tls",
		"net/http.init.0":                                "net/http",
		"main.main":                                      "main",
		"type:*net/http.Client":                          "(types)",
		"go:itab.*os.File,io.Reader":                     "(linker)",
		"slices.Sort[go.shape.[]github.com/x/y.T]":       "slices",
		"github.com/BurntSushi/toml%2ev1.Decode":         "github.com/BurntSushi/toml.v1",
		"github.com/x/y.(*G[go.shape.int]).Method.func1": "github.com/x/y",
		"_start": "(other)",
	} {
		if got := packageOf(symbol); got != want {
			t.Errorf("%s: expected %s, got %s", symbol, want, got)
		}
	}
}

// TestBySymbol takes a program of one line apart.
func TestBySymbol(t *testing.T) {
	dir := t.TempDir()
	source, file := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte("package main\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := sample.Run(t.Context(), nil, "go", "build", "-o", file, source); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	shares, err := bySymbol(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"runtime", "main", "(.gopclntab)"} {
		if !slices.ContainsFunc(shares, func(s share) bool { return s.name == name }) {
			t.Errorf("expected a share of %s, got %v", name, shares)
		}
	}
	if total := sum(shares); total > st.Size() || total < st.Size()/4 {
		t.Errorf("expected shares of most of %d bytes, got %d", st.Size(), total)
	}
	if _, err := bySymbol(strings.NewReader("no program")); err == nil {
		t.Error("expected an error for a file that is no program")
	}
}

func TestTable(t *testing.T) {
	shares := make([]share, shown+2)
	for i := range shares {
		shares[i] = share{"p", 1}
	}
	if got := table(shares); strings.Count(got, "\n") != shown+1 || !strings.Contains(got, "2  in 2 more") {
		t.Errorf("expected %d lines and the rest, got\n%s", shown+1, got)
	}
}
