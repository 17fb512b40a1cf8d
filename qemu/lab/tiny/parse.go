package tiny

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const maxWait = 600 * time.Second

// order is what the command line asks the guest to do.
type order struct {
	checkHash bool
	wait      time.Duration
	sums      []string
	walk      bool
}

// parseOrder picks the guest's words out of a kernel command line.
func parseOrder(cmdline string) (order, error) {
	var o order
	for _, word := range strings.Fields(cmdline) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "tiny.check":
			if value != "hash" {
				return order{}, fmt.Errorf("tiny.check: expected hash, got %q", value)
			}
			o.checkHash = true
		case "tiny.wait":
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil || time.Duration(n)*time.Second > maxWait {
				return order{}, fmt.Errorf("tiny.wait: expected seconds up to %v, got %q", maxWait, value)
			}
			o.wait = time.Duration(n) * time.Second
		case "tiny.sum":
			o.sums = append(o.sums, value)
		case "tiny.walk":
			o.walk = true
		}
	}
	return o, nil
}

// parseMountinfo reads /proc/self/mountinfo (proc_pid_mountinfo(5)).
func parseMountinfo(text string) ([]Mount, error) {
	var all []Mount
	for line := range strings.Lines(text) {
		left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 3 {
			return nil, fmt.Errorf("mountinfo: unexpected line %q", line)
		}
		all = append(all, Mount{Target: unescape(l[4]), Source: unescape(r[1]), FSType: r[0],
			Options: joinOptions(l[5], r[2])})
	}
	return all, nil
}

// joinOptions adds the file system's options to the mount's; ro and rw are
// in both and findmnt shows the mount's.
func joinOptions(mount, super string) string {
	out := mount
	for _, o := range strings.Split(super, ",") {
		if o != "ro" && o != "rw" {
			out += "," + o
		}
	}
	return out
}

// unescape turns the kernel's \040 and friends back into characters.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// ParseSums reads the format of sha256sum: 64 hex digits, two spaces, path.
func ParseSums(r io.Reader) (map[string]string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSums))
	if err != nil {
		return nil, fmt.Errorf("sums: %w", err)
	}
	sums := map[string]string{}
	for line := range strings.Lines(string(text)) {
		sum, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok || len(sum) != 64 || path == "" {
			return nil, fmt.Errorf("sums: unexpected line %q", line)
		}
		sums[path] = sum
	}
	return sums, nil
}

const maxSums = 16 << 20
