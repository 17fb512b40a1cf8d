package pack

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slipway-boot/slipway/payload/image"
	"github.com/slipway-boot/slipway/payload/uki"
)

const (
	noAssertion = "NOASSERTION"
	spdxPrefix  = "SPDXRef-"
	documentID  = spdxPrefix + "DOCUMENT"
	payloadID   = spdxPrefix + "Payload"
	projectURL  = "https://github.com/slipway-boot/slipway"
)

// The parts of SPDX 2.3 that are written and read.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		DataLicense   string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Describes     []string           `json:"documentDescribes"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		Name             string         `json:"name"`
		ID               string         `json:"SPDXID"`
		Version          string         `json:"versionInfo,omitempty"`
		FileName         string         `json:"packageFileName,omitempty"`
		Supplier         string         `json:"supplier,omitempty"`
		DownloadLocation string         `json:"downloadLocation"`
		FilesAnalyzed    bool           `json:"filesAnalyzed"`
		Checksums        []spdxChecksum `json:"checksums,omitempty"`
		SourceInfo       string         `json:"sourceInfo,omitempty"`
		LicenseConcluded string         `json:"licenseConcluded"`
		LicenseDeclared  string         `json:"licenseDeclared"`
		Copyright        string         `json:"copyrightText"`
		Comment          string         `json:"comment,omitempty"`
		Refs             []spdxRef      `json:"externalRefs,omitempty"`
		Purpose          string         `json:"primaryPackagePurpose,omitempty"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		From string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
)

// sbom describes the payload in b.result as SPDX 2.3.
func (b *build) sbom() ([]byte, error) {
	d := &spdxDocument{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: documentID, Name: filepath.Base(b.Output),
		Namespace: projectURL + "/spdx/" + b.result.SHA256,
		Creation:  spdxCreation{b.Built.UTC().Format(time.RFC3339), []string{"Tool: slipway-" + b.Version}},
		Describes: []string{payloadID},
	}
	d.add(documentID, "DESCRIBES", spdxPackage{
		Name: filepath.Base(b.Output), ID: payloadID, Version: b.Version, FileName: filepath.Base(b.Output), Purpose: "OPERATING-SYSTEM",
		Checksums: []spdxChecksum{{"SHA256", b.result.SHA256}},
	})
	d.add(payloadID, "CONTAINS", b.kernelPackage())
	for _, p := range modulePackages(b.kernel, b.packed.Modules) {
		d.add(payloadID, "CONTAINS", p)
	}
	d.add(payloadID, "CONTAINS", b.stubPackage())
	if err := d.addGo(b.init, b.Version); err != nil {
		return nil, fmt.Errorf("sbom: %w", err)
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("sbom: %w", err)
	}
	return append(text, '\n'), nil
}

// add fills a package's blanks and puts it into a relationship.
func (d *spdxDocument) add(from, relation string, p spdxPackage) {
	for _, blank := range []*string{&p.DownloadLocation, &p.LicenseConcluded, &p.LicenseDeclared, &p.Copyright} {
		if *blank == "" {
			*blank = noAssertion
		}
	}
	d.Packages = append(d.Packages, p)
	d.Relationships = append(d.Relationships, spdxRelationship{from, relation, p.ID})
}

func (b *build) kernelPackage() spdxPackage {
	p := spdxPackage{
		Name: "linux", ID: spdxPrefix + "Kernel", Version: b.kernel.Release, Purpose: "OPERATING-SYSTEM",
		LicenseDeclared: "GPL-2.0-only WITH Linux-syscall-note", Comment: b.kernel.Version,
	}
	if b.kernel.name != "" {
		p.Name = b.kernel.name
	}
	b.kernel.origin.describe(&p)
	return p
}

// describe says where the source is: the archive keeps every version.
func (o origin) describe(p *spdxPackage) {
	if o.Source == "" {
		return
	}
	p.Version = o.Version
	p.Supplier = "Organization: Debian"
	p.DownloadLocation = fmt.Sprintf("https://snapshot.debian.org/package/%s/%s/", o.Source, o.Version)
	p.SourceInfo = fmt.Sprintf("built from the Debian source package %s %s: apt-get source %s=%s", o.Source, o.Version, o.Source, o.Version)
	p.Refs = purl("deb/debian/"+p.Name, o.Version, "?arch="+arch)
}

func purl(name, version, rest string) []spdxRef {
	escape := strings.NewReplacer("+", "%2B", ":", "%3A")
	return []spdxRef{{"PACKAGE-MANAGER", "purl", "pkg:" + escape.Replace(name) + "@" + escape.Replace(version) + rest}}
}

// license translates the words of MODULE_LICENSE, whose meaning is given in
// Documentation/process/license-rules.rst.
func license(module string) string {
	switch module {
	case "GPL", "GPL v2":
		return "GPL-2.0-only"
	case "GPL and additional rights":
		return "GPL-2.0-only"
	case "Dual MIT/GPL":
		return "MIT OR GPL-2.0-only"
	case "Dual BSD/GPL":
		return "BSD-3-Clause OR GPL-2.0-only"
	case "Dual MPL/GPL":
		return "MPL-1.1 OR GPL-2.0-only"
	}
	return noAssertion
}

// modulePackages groups the modules by what they say of their licence.
func modulePackages(k *kernel, modules []image.ModuleFile) []spdxPackage {
	groups := make(map[string][]string)
	for _, m := range modules {
		groups[m.License] = append(groups[m.License], m.Name)
	}
	var list []spdxPackage
	for i, words := range slices.Sorted(maps.Keys(groups)) {
		names := groups[words]
		slices.Sort(names)
		p := spdxPackage{
			Name: "linux-modules", ID: fmt.Sprintf("%sModules-%d", spdxPrefix, i+1), Version: k.Release, Purpose: "LIBRARY",
			LicenseDeclared: license(words), Comment: fmt.Sprintf("MODULE_LICENSE(%q): %s", words, strings.Join(names, " ")),
		}
		k.origin.describe(&p)
		p.Refs = nil // they belong to the kernel's package
		list = append(list, p)
	}
	return list
}

// stubWords is what systemd-stub says of itself.
var stubWords = regexp.MustCompile(`systemd-stub ([^ ]+)`)

func (b *build) stubPackage() spdxPackage {
	p := spdxPackage{Name: "systemd-stub", ID: spdxPrefix + "Stub", LicenseDeclared: "LGPL-2.1-or-later", Purpose: "APPLICATION"}
	m, err := uki.Parse(bytes.NewReader(b.image), int64(len(b.image)))
	if err != nil {
		return p
	}
	words := stubWords.FindStringSubmatch(m.Stub)
	if words == nil {
		p.LicenseDeclared = noAssertion
		return p
	}
	p.Version = words[1]
	if strings.Contains(m.SBAT, "debian") {
		p.Name = "systemd-boot-efi"
		origin{"systemd", words[1]}.describe(&p)
	}
	return p
}

// addGo adds the program's Go modules, as the program itself lists them.
func (d *spdxDocument) addGo(program []byte, version string) error {
	const initID = spdxPrefix + "Init"
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("init: expected a Go program: %w", err)
	}
	d.add(payloadID, "CONTAINS", spdxPackage{
		Name: info.Main.Path, ID: initID, Version: version, DownloadLocation: projectURL, LicenseDeclared: "Apache-2.0",
		Purpose: "APPLICATION", Comment: "/init: " + info.Path,
	})
	d.add(initID, "STATIC_LINK", spdxPackage{
		Name: "go", ID: spdxPrefix + "Go", Version: info.GoVersion, DownloadLocation: "https://go.dev/dl/", LicenseDeclared: "BSD-3-Clause",
		Refs: purl("golang/std", strings.TrimPrefix(info.GoVersion, "go"), ""), Comment: "runtime and standard library",
	})
	for i, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		p := spdxPackage{Name: m.Path, ID: fmt.Sprintf("%sGo-%d", spdxPrefix, i+1), Version: m.Version, Refs: purl("golang/"+m.Path, m.Version, "")}
		if m.Sum != "" {
			p.Comment = "go.sum: " + m.Sum
		}
		d.add(initID, "STATIC_LINK", p)
	}
	return nil
}
