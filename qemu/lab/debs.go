package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// wantedPackages are what a person would ask apt for, besides the essential
// packages; dependencies come along, recommendations do not.
func wantedPackages() []string {
	return []string{
		"systemd-sysv", "libpam-systemd", "dbus", "udev", // init and its friends
		"login", "passwd", "mount", "util-linux", "procps", "less", // for a person at the console
		"iproute2", "iputils-ping", "kmod",
		"dracut", "dracut-config-generic", "zstd", // the initramfs
		imageKernelMeta,
	}
}

// essential is everything marked so, but for apt, which counts itself in and
// is of no use in an image that is replaced as a whole.
const essential = "?and(?essential,?not(?exact-name(apt)))"

// unlockedFile is the note in a cache entry that it was not made of the
// locked packages.
const unlockedFile = "unlocked.txt"

// lockHash names the lock in cache keys.
func lockHash() string {
	sum := sha256.Sum256([]byte(lockText))
	return hex.EncodeToString(sum[:keyBytes])
}

// resolve asks apt for all packages of the boot image's root in the newest
// versions the suite has.
func (s *suite) resolve(ctx context.Context) ([]debPackage, error) {
	names, err := s.wanted(ctx, append([]string{essential}, wantedPackages()...)...)
	if err != nil {
		return nil, err
	}
	list, err := s.show(ctx, names...)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("apt-cache show: %w", err)
		}
	}
	return list, nil
}

// Relock asks the mirror for the newest versions and writes them to the lock
// file at path. It returns what changed, in words.
func (l *Lab) Relock(ctx context.Context, path string) (changes []string, err error) {
	s, err := l.imageSuite(ctx)
	if err != nil {
		return nil, fmt.Errorf("relock: %w", err)
	}
	if err := s.update(ctx); err != nil {
		return nil, fmt.Errorf("relock: %w", err)
	}
	list, err := s.resolve(ctx)
	if err != nil {
		return nil, fmt.Errorf("relock: %w", err)
	}
	locked, err := parseLock(lockText)
	if err != nil {
		return nil, fmt.Errorf("relock: %w", err)
	}
	if err := os.WriteFile(path, []byte(formatLock(list)), 0o644); err != nil {
		return nil, fmt.Errorf("relock: %w", err)
	}
	return diffLock(locked, list), nil
}

// debs are .deb files in the cache, in the order of their packages.
type debs struct {
	packages []debPackage
	files    []string
	unlocked []string // how they differ from the lock, in words
}

// fetchLocked gets the locked packages that pick chooses, from the cache or
// the mirror. If the mirror no longer has one of them it takes all packages
// in the mirror's versions instead, and says so; or fails if Strict is set.
func (l *Lab) fetchLocked(ctx context.Context, pick func(debPackage) bool) (debs, error) {
	locked, err := parseLock(lockText)
	if err != nil {
		return debs{}, err
	}
	list := slices.DeleteFunc(slices.Clone(locked), func(p debPackage) bool { return !pick(p) })
	store, err := l.once(ctx, "debs", func(string) error { return nil })
	if err != nil {
		return debs{}, err
	}
	if files, ok := inStore(store, list); ok {
		return debs{packages: list, files: files}, nil
	}
	s, err := l.imageSuite(ctx)
	if err != nil {
		return debs{}, err
	}
	if !s.has(ctx, list) {
		// The lists in the cache may be older than the lock.
		if err := s.update(ctx); err != nil {
			return debs{}, err
		}
	}
	d := debs{packages: list}
	if !s.has(ctx, list) {
		all, err := s.resolve(ctx)
		if err != nil {
			return debs{}, err
		}
		d.unlocked = diffLock(locked, all)
		d.packages = slices.DeleteFunc(all, func(p debPackage) bool { return !pick(p) })
		if l.Strict {
			return debs{}, fmt.Errorf("%w: %s", ErrLock, strings.Join(d.unlocked, "; "))
		}
	}
	d.files, err = l.intoStore(ctx, s, store, d.packages)
	return d, err
}

// has reports whether the suite's newest versions are exactly the listed ones.
func (s *suite) has(ctx context.Context, list []debPackage) bool {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Name
	}
	newest, err := s.show(ctx, names...)
	if err != nil {
		return false // a name the suite does not know
	}
	return slices.EqualFunc(list, newest, func(a, b debPackage) bool {
		return a.Version == b.Version && a.SHA256 == b.SHA256
	})
}

// inStore finds .deb files that were downloaded, and checked, before.
func inStore(store string, list []debPackage) (files []string, all bool) {
	for _, p := range list {
		path := filepath.Join(store, p.file())
		if checkSHA256(path, p.SHA256) != nil {
			return nil, false
		}
		files = append(files, path)
	}
	return files, true
}

// intoStore downloads what the store lacks.
func (l *Lab) intoStore(ctx context.Context, s *suite, store string, list []debPackage) ([]string, error) {
	var missing []debPackage
	for _, p := range list {
		if _, ok := inStore(store, []debPackage{p}); !ok {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		l.say("downloading %d Debian packages (%s)", len(missing), testSuite)
		tmp, err := os.MkdirTemp(l.Cache, ".debs-")
		if err != nil {
			return nil, fmt.Errorf("cache: %w", err)
		}
		defer os.RemoveAll(tmp)
		paths, err := s.download(ctx, tmp, missing)
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			if err := os.Rename(p, filepath.Join(store, filepath.Base(p))); err != nil {
				return nil, fmt.Errorf("cache: %w", err)
			}
		}
	}
	files, ok := inStore(store, list)
	if !ok {
		return nil, errors.New("cache: a downloaded package vanished")
	}
	return files, nil
}

// warn says how packages differ from the lock.
func (l *Lab) warn(unlocked []string) {
	if len(unlocked) == 0 {
		return
	}
	l.say("WARNING: the mirror no longer has all packages of debian-%s.lock; run \"make lock\"", testSuite)
	for _, note := range unlocked {
		l.say("WARNING: %s", note)
	}
}

// noteUnlocked leaves a note in a cache entry.
func noteUnlocked(dir string, unlocked []string) error {
	if len(unlocked) == 0 {
		return nil
	}
	return os.WriteFile(filepath.Join(dir, unlockedFile), []byte(strings.Join(unlocked, "\n")+"\n"), 0o644)
}

// heedUnlocked repeats the warning for an entry that was made before, or
// refuses it if Strict is set.
func (l *Lab) heedUnlocked(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, unlockedFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	notes := strings.Split(strings.TrimSpace(string(text)), "\n")
	if l.Strict {
		return fmt.Errorf("%w: %s was made of other packages: %s", ErrLock, dir, strings.Join(notes, "; "))
	}
	l.warn(notes)
	return nil
}
