package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	testSuite     = "trixie"               // the Debian release that boot images are made of
	hostStatus    = "/var/lib/dpkg/status" // what the host has installed
	keyBytes      = 6                      // of hashes in cache keys
	debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
)

// aptConf keeps the host's proxy settings, but none of its hooks.
const aptConf = `Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
pkgCacheGen::ForceEssential ",";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb::DEP-11;
`

// suite is apt with state of its own: its sources, lists and archives lie in
// the cache, and the host's are neither read nor changed.
type suite struct {
	dir    string
	status string // dpkg status file that says what counts as installed
}

// debPackage is one version of one package as a suite's lists describe it.
type debPackage struct {
	Name, Version, Arch, SHA256 string

	depends string
}

// hostSuite is the release the machine runs, with its security updates.
func (l *Lab) hostSuite(ctx context.Context) (*suite, error) {
	a, err := thisHost()
	if err != nil {
		return nil, err
	}
	sources := sourceLine(a.main, a.codename)
	if a.security != "" {
		sources += sourceLine(a.security, a.codename+"-security")
	}
	return l.openSuite(ctx, "apt-host-"+a.codename, sources, hostStatus)
}

// imageSuite is the release of the boot images: the point release only,
// because security updates leave the mirror too soon to be locked.
func (l *Lab) imageSuite(ctx context.Context) (*suite, error) {
	a, err := thisHost()
	if err != nil {
		return nil, err
	}
	return l.openSuite(ctx, "apt-image-"+testSuite, sourceLine(a.main, testSuite), "")
}

func thisHost() (archive, error) {
	if runtime.GOARCH != "amd64" {
		return archive{}, fmt.Errorf("%w: architecture %s", ErrHost, runtime.GOARCH)
	}
	return hostArchive(os.DirFS("/"))
}

func sourceLine(uri, suite string) string {
	return fmt.Sprintf("deb [signed-by=%s] %s %s main\n", debianKeyring, uri, suite)
}

// openSuite prepares apt's state and reads the package lists, once. With no
// status file nothing counts as installed.
func (l *Lab) openSuite(ctx context.Context, key, sources, status string) (*suite, error) {
	sum := sha256.Sum256([]byte(aptConf + sources))
	dir, err := l.once(ctx, key+"-"+hex.EncodeToString(sum[:keyBytes]), func(dir string) error {
		files := map[string]string{"apt.conf": aptConf, "sources.list": sources, "status": ""}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				return fmt.Errorf("apt: %w", err)
			}
		}
		for _, name := range []string{"lists/partial", "archives/partial"} {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
				return fmt.Errorf("apt: %w", err)
			}
		}
		l.say("reading Debian's package lists: %s", strings.TrimPrefix(key, "apt-"))
		s := &suite{dir: dir, status: filepath.Join(dir, "status")}
		return s.update(ctx)
	})
	if err != nil {
		return nil, err
	}
	if status == "" {
		status = filepath.Join(dir, "status")
	}
	return &suite{dir: dir, status: status}, nil
}

// run starts apt-get or apt-cache with the suite's state.
func (s *suite) run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	all := append([]string{args[0], "-q", "-c", filepath.Join(s.dir, "apt.conf"),
		"-o", "Dir::Etc::sourcelist=" + filepath.Join(s.dir, "sources.list"),
		"-o", "Dir::State=" + s.dir,
		"-o", "Dir::State::lists=" + filepath.Join(s.dir, "lists"),
		"-o", "Dir::State::status=" + s.status,
		"-o", "Dir::Cache=" + s.dir}, args[1:]...)
	out, err := cmd{args: all, dir: dir}.run(ctx)
	return out, networkError(err)
}

// update reads the package lists from the mirror.
func (s *suite) update(ctx context.Context) error {
	_, err := s.run(ctx, "", "apt-get", "-o", "APT::Update::Error-Mode=any", "update")
	return err
}

// fresh runs f again with new package lists if it fails: the lists in the
// cache may be older than what the mirror has.
func (s *suite) fresh(ctx context.Context, f func() error) error {
	err := f()
	if err == nil || ctx.Err() != nil {
		return err
	}
	if update := s.update(ctx); update != nil {
		return err
	}
	return f()
}

// show describes the newest version of each named package.
func (s *suite) show(ctx context.Context, names ...string) ([]debPackage, error) {
	out, err := s.run(ctx, "", append([]string{"apt-cache", "--no-all-versions", "show"}, names...)...)
	if err != nil {
		return nil, err
	}
	paragraphs, err := parseDeb822(string(out))
	if err != nil {
		return nil, fmt.Errorf("apt-cache show: %w", err)
	}
	byName := make(map[string]debPackage, len(paragraphs))
	for _, p := range paragraphs {
		byName[p["package"]] = debPackage{Name: p["package"], Version: p["version"], Arch: p["architecture"],
			SHA256: p["sha256"], depends: p["depends"]}
	}
	list := make([]debPackage, 0, len(names))
	for _, name := range names {
		p, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("apt-cache show: no package %s", name)
		}
		list = append(list, p)
	}
	return list, nil
}

// download puts the packages' .deb files into dir and checks their hashes
// (apt checked the signature of the lists they come from). It returns the
// paths in the order of the packages.
func (s *suite) download(ctx context.Context, dir string, list []debPackage) ([]string, error) {
	args := []string{"apt-get", "download"}
	for _, p := range list {
		args = append(args, p.Name+"="+p.Version)
	}
	if _, err := s.run(ctx, dir, args...); err != nil {
		return nil, err
	}
	paths := make([]string, 0, len(list))
	for _, p := range list {
		path := filepath.Join(dir, p.file())
		if err := checkSHA256(path, p.SHA256); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// file is the name that apt-get download gives the package.
func (p debPackage) file() string {
	return fmt.Sprintf("%s_%s_%s.deb", p.Name, strings.ReplaceAll(p.Version, ":", "%3a"), p.Arch)
}

func checkSHA256(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("download: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("download: %s: sha256: expected %s, got %s", filepath.Base(path), want, got)
	}
	return nil
}
