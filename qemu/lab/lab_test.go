package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestOnce(t *testing.T) {
	l := &Lab{Cache: filepath.Join(t.TempDir(), "cache")}
	var mu sync.Mutex
	built := 0
	build := func(dir string) error {
		mu.Lock()
		defer mu.Unlock()
		built++
		return os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			dir, err := l.once(t.Context(), "a/key", build)
			if err != nil {
				t.Error(err)
			} else if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if built != 1 {
		t.Errorf("expected one build, got %d", built)
	}
}

func TestOnceFails(t *testing.T) {
	l := &Lab{Cache: t.TempDir()}
	broken := errors.New("broken")
	if _, err := l.once(t.Context(), "key", func(string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("expected the error of the build, got %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(l.Cache, ".new-*"))
	if len(left) != 0 {
		t.Errorf("expected nothing left behind, got %v", left)
	}
	dir, err := l.once(t.Context(), "key", func(string) error { return nil })
	if err != nil || dir != filepath.Join(l.Cache, "key") {
		t.Errorf("expected a second try to work, got %s, %v", dir, err)
	}
	if _, err := (&Lab{}).once(t.Context(), "key", nil); err == nil {
		t.Error("expected an empty cache directory to be refused")
	}
}

func TestOnceWaits(t *testing.T) {
	l := &Lab{Cache: t.TempDir()}
	unlock, err := l.lock(t.Context(), filepath.Join(l.Cache, "key.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	said := ""
	l.Progress = func(line string) { said = line }
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := l.once(ctx, "key", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("expected the deadline, got %v", err)
	}
	if !strings.Contains(said, "waiting") {
		t.Errorf("expected to be told about the wait, got %q", said)
	}
}

func TestRun(t *testing.T) {
	var lines []string
	c := cmd{args: []string{"sh", "-c", "echo out; echo one >&2; printf two >&2; exit 3"},
		line: func(s string) { lines = append(lines, s) }}
	out, err := c.run(t.Context())
	if string(out) != "out\n" || err == nil || !strings.Contains(err.Error(), "exit status 3: one; two") {
		t.Errorf("expected output and the end of standard error, got %q, %v", out, err)
	}
	if fmt.Sprint(lines) != "[one two]" {
		t.Errorf("expected two lines, got %q", lines)
	}
}

func TestTool(t *testing.T) {
	if _, err := tool("no-such-program", "some-package"); !errors.Is(err, ErrTool) || !strings.Contains(err.Error(), "some-package") {
		t.Errorf("expected ErrTool with the package, got %v", err)
	}
}

func TestNetworkError(t *testing.T) {
	if err := networkError(errors.New("Err: Temporary failure resolving 'mirror.test'")); !errors.Is(err, ErrNetwork) {
		t.Errorf("expected ErrNetwork, got %v", err)
	}
	if err := networkError(errors.New("no space left")); errors.Is(err, ErrNetwork) {
		t.Errorf("expected another error, got %v", err)
	}
	if networkError(nil) != nil {
		t.Error("expected nil")
	}
}

func TestCA(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	ca, err := NewCA(dir, now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, err := ca.Issue(dir, "127.0.0.1", GuestHost, "registry.test")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key: expected mode 0600, got %v, %v", info.Mode(), err)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	for name, ok := range map[string]bool{"127.0.0.1": true, GuestHost: true, "registry.test": true, "other.test": false} {
		c, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{RootCAs: ca.Pool(), ServerName: name})
		if (err == nil) != ok {
			t.Errorf("%s: expected success %v, got %v", name, ok, err)
		}
		if err == nil {
			c.Close()
		}
	}
	other, err := NewCA(t.TempDir(), now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{RootCAs: other.Pool()}); err == nil {
		t.Error("expected another CA to be refused")
	}
}

func TestDaemon(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p := program{path: "/bin/sh", env: []string{"WORD=ready"}}
	d, err := startDaemon(t.Context(), p, log, "-c", "echo $WORD 7; exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.ready(t.Context(), regexp.MustCompile(`ready (\d)`))
	if err != nil || m[1] != "7" {
		t.Errorf("expected 7, got %q, %v", m, err)
	}
	d.stop()
	d.stop()
	if d, err = startDaemon(t.Context(), p, log, "-c", "echo wrong; exit 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ready(t.Context(), regexp.MustCompile(`ready (\d)`)); err == nil || !strings.Contains(err.Error(), "ended before") {
		t.Errorf("expected the end to be noticed, got %v", err)
	}
}

func TestFreeUDPPort(t *testing.T) {
	port, err := freeUDPPort()
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
