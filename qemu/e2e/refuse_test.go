//go:build vm

package e2e

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-boot/slipway/kexecer"
	"github.com/slipway-boot/slipway/oci"
	"github.com/slipway-boot/slipway/payload"
	"github.com/slipway-boot/slipway/payload/config"
	"github.com/slipway-boot/slipway/qemu"
	"github.com/slipway-boot/slipway/qemu/lab"
)

// refusals has at least one row for each of the seven steps. Each machine
// must print the step's error, one hint, never start another kernel, and
// reboot.
var refusals = []struct {
	name  string
	step  string // as on the console
	want  string // regular expression for the message
	hint  error  // whose hint must follow
	setup func(t *testing.T, r *rig) qemu.Options
}{
	{"NoCard", "1/7 bring up", `no network card`, payload.ErrNoLink, func(t *testing.T, r *rig) qemu.Options {
		o := r.machine(logicalName+"/a:b", "slipway.network-timeout=3s")
		o.NICs = nil
		return o
	}},
	{"NoLease", "1/7 bring up", `no DHCP lease: eth0: dhcp: carrier is up, no answer`, payload.ErrNoLease, func(t *testing.T, r *rig) qemu.Options {
		o := r.machine(logicalName+"/a:b", "slipway.network-timeout=3s")
		o.NICs = []qemu.NIC{{Backend: qemu.Unconnected}}
		return o
	}},
	{"UnknownKey", "1/7 bring up", `unknown key "rot": did you mean "root"`, config.ErrConfig, func(t *testing.T, r *rig) qemu.Options {
		return r.machine(logicalName+"/a:b", "slipway.rot=direct")
	}},
	{"ClockYearsAhead", "2/7 fetch", `certificate`, oci.ErrClock, func(t *testing.T, r *rig) qemu.Options {
		o := r.machine(r.pushSigned(t, lab.TinyOptions{}))
		o.RTC = time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC)
		return o
	}},
	{"RegistryDown", "2/7 fetch", `unreachable`, oci.ErrUnreachable, func(t *testing.T, r *rig) qemu.Options {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		l.Close() // nobody listens there now
		return r.machine(logicalName+"/a:b", "slipway.mirrors="+logicalName+"="+lab.GuestHost+":"+port)
	}},
	{"CertificateOfAnotherCA", "2/7 fetch", `certificate`, oci.ErrCertificate, func(t *testing.T, r *rig) qemu.Options {
		dir := t.TempDir()
		ca, err := lab.NewCA(dir, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		registry, err := r.lab.StartRegistry(t.Context(), filepath.Join(dir, "registry"), ca)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(registry.Stop)
		return r.machine(logicalName+"/a:b", "slipway.mirrors="+logicalName+"="+registry.GuestAddr())
	}},
	{"AnotherArchitecture", "2/7 fetch", `arm64`, oci.ErrArch, func(t *testing.T, r *rig) qemu.Options {
		return r.machine(r.pushSigned(t, lab.TinyOptions{Arch: "arm64"}))
	}},
	{"Unsigned", "3/7 verify", `not signed`, oci.ErrUnsigned, func(t *testing.T, r *rig) qemu.Options {
		reference, _ := r.push(t, r.tiny(t, lab.TinyOptions{}))
		return r.machine(reference)
	}},
	{"AnotherKey", "3/7 verify", `no good signature`, oci.ErrBadSignature, func(t *testing.T, r *rig) qemu.Options {
		reference, _ := r.push(t, r.tiny(t, lab.TinyOptions{}))
		r.sign(t, reference, r.other)
		return r.machine(reference)
	}},
	{"ManifestSwapped", "3/7 verify", `not signed`, oci.ErrUnsigned, func(t *testing.T, r *rig) qemu.Options {
		reference := r.pushSigned(t, lab.TinyOptions{})
		name := strings.TrimSuffix(strings.TrimPrefix(reference, logicalName+"/"), ":test")
		evil := r.tiny(t, lab.TinyOptions{Kargs: []string{"console=ttyS0", "init=/bin/evil"}})
		if _, err := r.registry.Push(t.Context(), name, "test", evil); err != nil {
			t.Fatal(err)
		}
		return r.machine(reference)
	}},
	{"LayerByteFlipped", "4/7 extract", `digest mismatch`, oci.ErrDigestMismatch, func(t *testing.T, r *rig) qemu.Options {
		// A file of its own makes the layer one that no other test has.
		img := r.tiny(t, lab.TinyOptions{Files: map[string]string{"etc/flipped": t.Name() + time.Now().String()}})
		reference, _ := r.push(t, img)
		r.sign(t, reference, r.key)
		if err := r.registry.CorruptBlob(lastLayer(t, img.(v1.Image))); err != nil {
			t.Fatal(err)
		}
		return r.machine(reference)
	}},
	{"NoKernel", "4/7 extract", `kernel`, oci.ErrNotBootable, func(t *testing.T, r *rig) qemu.Options {
		return r.machine(r.pushSigned(t, lab.TinyOptions{NoKernel: true}))
	}},
	{"TooLittleMemory", "4/7 extract", `not enough memory`, payload.ErrMemory, func(t *testing.T, r *rig) qemu.Options {
		ballast := make([]byte, 40<<20) // random, so that no compression helps
		_, _ = rand.Read(ballast)
		o := r.machine(r.pushSigned(t, lab.TinyOptions{Files: map[string]string{"usr/share/ballast": string(ballast)}}))
		o.MemoryMiB = 256
		return o
	}},
	{"TooLittleMemoryToLoad", "6/7 load", `not enough memory: kexec`, payload.ErrMemory, func(t *testing.T, r *rig) qemu.Options {
		o := r.machine(r.pushSigned(t, lab.TinyOptions{}))
		o.MemoryMiB = 256
		return o
	}},
	{"KargNotAllowed", "5/7 hand off", `kargs: "quiet": expected one of allow.kargs`, oci.ErrPolicy, func(t *testing.T, r *rig) qemu.Options {
		return r.machine(r.pushSigned(t, lab.TinyOptions{}), "slipway.kargs=quiet")
	}},
	{"KernelRefused", "6/7 load", `the kernel refuses this image`, kexecer.ErrRefused, func(t *testing.T, r *rig) qemu.Options {
		img := replaceKernel(t, r.tiny(t, lab.TinyOptions{}).(v1.Image), func(kernel []byte) {
			// xloadflags: no 64-bit entry point (Documentation/arch/x86/boot.rst).
			binary.LittleEndian.PutUint16(kernel[0x236:], 0)
		})
		reference, _ := r.push(t, img)
		r.sign(t, reference, r.key)
		return r.machine(reference)
	}},
}

func TestRefusals(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			vm := qemu.StartT(t, c.setup(t, r))
			vm.WaitT(t, refuseLimit, qemu.Reset)
			console := vm.Console()
			message := regexp.MustCompile(`(?m)^slipway: ` + c.step + `: error: .*` + c.want)
			if n := len(message.FindAllString(console, -1)); n != 1 {
				t.Errorf("expected one line %q, got %d", message, n)
			}
			if n := strings.Count(console, "slipway: hint: "); n != 1 || !strings.Contains(console, "slipway: hint: "+payload.Hint(c.hint)) {
				t.Errorf("expected one hint %q, got %d hints", payload.Hint(c.hint), n)
			}
			if n := strings.Count(console, "] Linux version "); n != 1 {
				t.Errorf("expected no second kernel, got %d kernels", n)
			}
		})
	}
}

// TestRuntimeDoesNotStart covers row seven: the jump succeeds and what wakes
// up cannot go on. The machine says so and reboots into the payload.
func TestRuntimeDoesNotStart(t *testing.T) {
	t.Parallel()
	r := setup(t)
	img := appendLayer(t, r.tiny(t, lab.TinyOptions{}).(v1.Image), map[string]string{"usr/sbin/.wh.init": ""})
	reference, _ := r.push(t, img)
	r.sign(t, reference, r.key)
	vm := qemu.StartT(t, r.machine(reference))
	vm.WaitT(t, bootLimit, qemu.Reset)
	if !strings.Contains(vm.Console(), "slipway: runtime: error: init: expected one of") {
		t.Error("the console does not say why the runtime stopped")
	}
}

// TestCtrlAltDel: whoever stands at the machine can always start it over.
func TestCtrlAltDel(t *testing.T) {
	t.Parallel()
	r := setup(t)
	o := r.machine(logicalName+"/a:b", "slipway.network-timeout=10m")
	o.NICs = []qemu.NIC{{Backend: qemu.Unconnected}}
	vm := qemu.StartT(t, o)
	vm.ExpectT(t, refuseLimit, `slipway: 1/7 bring up: this payload was built with demo keys`)
	time.Sleep(2 * time.Second) // the keyboard is a device like others, and may still be coming up
	keys := map[string]any{"keys": []map[string]string{{"type": "qcode", "data": "ctrl"}, {"type": "qcode", "data": "alt"}, {"type": "qcode", "data": "delete"}}}
	if _, err := vm.Command(t.Context(), "send-key", keys); err != nil {
		t.Fatal(err)
	}
	vm.ExpectT(t, refuseLimit, `slipway: ctrl-alt-del: rebooting`)
	vm.WaitT(t, refuseLimit, qemu.Reset)
}

// TestPowerOffAfterFailure: what happens after the last try is configurable.
func TestPowerOffAfterFailure(t *testing.T) {
	t.Parallel()
	r := setup(t)
	o := r.machine(logicalName+"/none:none", "slipway.after-failure=poweroff", "slipway.attempts=2")
	vm := qemu.StartT(t, o)
	vm.WaitT(t, refuseLimit, qemu.Shutdown)
	for _, want := range []string{"round 2 of 2 in 1s", "giving up: poweroff in 1s"} {
		if !strings.Contains(vm.Console(), "slipway: "+want) {
			t.Errorf("the console does not say %q", want)
		}
	}
}
