package oci

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// forger signs whatever it is told to.
type forger struct {
	t      *testing.T
	key    *PrivateKey
	digest Digest
}

func newForger(t *testing.T) forger {
	t.Helper()
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return forger{t, key, Digest(testDigest)}
}

func (f forger) sign(message []byte) []byte {
	f.t.Helper()
	sig, err := f.key.sign(message)
	if err != nil {
		f.t.Fatal(err)
	}
	return sig
}

// tag makes a signature of format A over payload.
func (f forger) tag(payload string) signature {
	sig := base64.StdEncoding.EncodeToString(f.sign([]byte(payload)))
	return signature{format: FormatTag, source: "forged", signed: f.digest, body: []byte(payload), sig: sig}
}

// payload makes a good payload for the name, with optional as given.
func (f forger) payload(name, optional string) string {
	return fmt.Sprintf(`{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":%q},"optional":%s}`,
		name, f.digest, simpleSigningType, optional)
}

// bundle makes a signature of format B over statement and edits the bundle
// afterwards.
func (f forger) bundle(statement string, edit ...string) signature {
	f.t.Helper()
	var b bundle
	b.MediaType = bundleMedia
	b.Material.PublicKey = &bundleKey{Hint: "x"}
	b.Envelope = &envelope{
		Payload: base64.StdEncoding.EncodeToString([]byte(statement)), PayloadType: statementPayloadType,
		Signatures: []envelopeSign{{Sig: base64.StdEncoding.EncodeToString(f.sign(preAuth([]byte(statement))))}},
	}
	body, err := json.Marshal(b)
	if err != nil {
		f.t.Fatal(err)
	}
	text := string(body)
	for i := 0; i+1 < len(edit); i += 2 {
		if !strings.Contains(text, edit[i]) {
			f.t.Fatalf("%q is not in %s", edit[i], text)
		}
		text = strings.Replace(text, edit[i], edit[i+1], 1)
	}
	return signature{format: FormatBundle, source: "forged", signed: f.digest, body: []byte(text)}
}

// statement makes a good statement with the annotations as given.
func (f forger) statement(annotations string) string {
	return fmt.Sprintf(`{"_type":%q,"subject":[{"digest":{"sha256":%q},"annotations":%s}],"predicateType":%q,"predicate":{}}`,
		statementType, f.digest.Hex(), annotations, signPredicateType)
}

// policy wants one of the keys, matched by repository.
func (f forger) policy(boot string, keys ...*PublicKey) *Policy {
	f.t.Helper()
	if keys == nil {
		keys = []*PublicKey{f.key.Public()}
	}
	r := requirement{kind: typeSigned, keys: keys, identity: identity{kind: matchRepository}}
	b, err := parseBootPolicy([]byte("schema = 1\n" + boot))
	if err != nil {
		f.t.Fatal(err)
	}
	return &Policy{fallback: []requirement{r}, boot: b}
}

const (
	imageName = "registry.example/os/web"
	imageRef  = imageName + ":stable"
)

func webRef(t testing.TB) Reference {
	t.Helper()
	ref, err := ParseReference(imageRef)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// TestForgedPayloads has format A signatures whose signature is good and whose
// content is not, and good ones.
func TestForgedPayloads(t *testing.T) {
	f := newForger(t)
	good := f.payload(imageName, "null")
	replace := func(old, new string) signature { return f.tag(strings.Replace(good, old, new, 1)) }
	resigned := func(sig string) signature {
		s := f.tag(good)
		s.sig = sig
		return s
	}
	flipped := f.tag(good)
	flipped.body = []byte(strings.Replace(good, "web", "wfb", 1))
	other := newForger(t)
	for name, c := range map[string]struct {
		sig  signature
		err  error
		want string
	}{
		"good":                    {f.tag(good), nil, ""},
		"good with tag":           {f.tag(f.payload(imageRef, "{}")), nil, ""},
		"another repository":      {f.tag(f.payload("registry.example/os/evil", "null")), ErrIdentity, "expected registry.example/os/web"},
		"no name":                 {f.tag(f.payload("", "null")), ErrIdentity, "the signature names"},
		"another digest":          {replace("0a0a", "0b0a"), ErrBadSignature, "it is for sha256:0b0a"},
		"digest without sha256":   {replace("sha256:", ""), ErrBadSignature, "it is for 0a0a"},
		"another type":            {replace(simpleSigningType, "atomic container signature"), ErrBadSignature, "expected type"},
		"duplicate key":           {replace(`"optional"`, `"optional":null,"optional"`), ErrBadSignature, "twice"},
		"unknown key":             {replace(`"optional"`, `"x":1,"optional"`), ErrBadSignature, "unknown key"},
		"unknown key in critical": {replace(`"type"`, `"x":1,"type"`), ErrBadSignature, "unknown key"},
		"case-folded key":         {replace(`"critical"`, `"Critical"`), ErrBadSignature, "by case only"},
		"missing key":             {replace(`,"optional":null`, ``), ErrBadSignature, "missing"},
		"type null":               {replace(`"`+simpleSigningType+`"`, "null"), ErrBadSignature, "got null"},
		"invalid UTF-8":           {f.tag(f.payload(imageName, "{\"x\":\"\xff\"}")), ErrBadSignature, "invalid UTF-8"},
		"data after it":           {f.tag(good + "{}"), ErrBadSignature, "data after"},
		"byte order mark":         {f.tag("\xef\xbb\xbf" + good), ErrBadSignature, "byte order mark"},
		"too large":               {f.tag(f.payload(imageName, `{"x":"`+strings.Repeat("x", maxPayload)+`"}`)), ErrTooLarge, "at most"},
		"changed after signing":   {flipped, ErrBadSignature, "not made by a key"},
		"another key":             {other.tag(good), ErrBadSignature, "not made by a key"},
		"no signature":            {resigned(""), ErrBadSignature, "not made by a key"},
		"signature no base64":     {resigned("!"), ErrBadSignature, "base64"},
		"base64 line break":       {resigned(strings.Replace(f.tag(good).sig, "M", "\nM", 1)), ErrBadSignature, "line break"},
		"a bundle as a payload":   {f.tag(f.statement("{}")), ErrBadSignature, "unknown key"},
	} {
		checkVerdict(t, name, f.policy("").judge(webRef(t), []signature{c.sig}, VerifyOptions{}), c.err, c.want)
	}
}

func checkVerdict(t *testing.T, name string, v verdict, err error, want string) {
	t.Helper()
	if err == nil {
		if v.err != nil || len(v.signers) == 0 {
			t.Errorf("%s: expected success, got %v", name, v.err)
		}
		return
	}
	if !errors.Is(v.err, err) || !strings.Contains(v.err.Error(), want) {
		t.Errorf("%s: expected %v with %q, got %v", name, err, want, v.err)
	}
	if len(v.signers) != 0 {
		t.Errorf("%s: expected no signers, got %+v", name, v.signers)
	}
}

// TestForgedBundles does the same for format B.
func TestForgedBundles(t *testing.T) {
	f := newForger(t)
	good := f.statement(fmt.Sprintf(`{"ref":%q}`, imageRef))
	replace := func(old, new string) signature { return f.bundle(strings.Replace(good, old, new, 1)) }
	longer := func(sig string) string { return `"signatures":[{"sig":"` + sig }
	for name, c := range map[string]struct {
		sig  signature
		err  error
		want string
	}{
		"good":                 {f.bundle(good), nil, ""},
		"good, no predicate":   {replace(`,"predicate":{}`, ""), nil, ""},
		"good, no hint":        {f.bundle(good, `{"hint":"x"}`, `{}`), nil, ""},
		"no name":              {f.bundle(f.statement("{}")), ErrIdentity, "names no image"},
		"another name":         {replace("os/web", "os/evil"), ErrIdentity, "expected registry.example/os/web"},
		"another digest":       {replace("0a0a", "0b0a"), ErrBadSignature, "it is for sha256:0b0a"},
		"attestation":          {replace(signPredicateType, "https://example.com/scan/v1"), ErrBadSignature, "it is no signature"},
		"old statement":        {replace("Statement/v1", "Statement/v0.1"), ErrBadSignature, "expected type"},
		"no subject":           {replace(`"subject":[{`, `"subject":[],"x":[{`), ErrBadSignature, "unknown key"},
		"two subjects":         {replace(`"subject":[`, `"subject":[{"digest":{"sha256":"00"}},`), ErrBadSignature, "expected one subject, got 2"},
		"sha512 only":          {replace(`"sha256"`, `"sha512"`), ErrBadSignature, "expected one digest"},
		"two digests":          {replace(`"sha256"`, `"sha512":"00","sha256"`), ErrBadSignature, "expected one digest"},
		"duplicate key":        {replace(`"predicateType"`, `"predicateType":"x","predicateType"`), ErrBadSignature, "twice"},
		"case-folded key":      {replace(`"predicateType"`, `"PredicateType"`), ErrBadSignature, "by case only"},
		"bundle v0.2":          {f.bundle(good, "v0.3", "v0.2"), ErrBadSignature, "expected media type"},
		"certificate":          {f.bundle(good, `"publicKey":{"hint":"x"}`, `"certificate":{"rawBytes":"QQ=="}`), ErrBadSignature, "holds a certificate"},
		"certificate and key":  {f.bundle(good, `"publicKey"`, `"certificate":{"rawBytes":"QQ=="},"publicKey"`), ErrBadSignature, "holds a certificate"},
		"certificate chain":    {f.bundle(good, `"publicKey"`, `"x509CertificateChain":{},"publicKey"`), ErrBadSignature, "holds a certificate"},
		"no key":               {f.bundle(good, `"publicKey":{"hint":"x"}`, ``), ErrBadSignature, "names no public key"},
		"message signature":    {f.bundle(good, `"dsseEnvelope"`, `"messageSignature":{},"dsseEnvelope"`), ErrBadSignature, "DSSE envelope and nothing else"},
		"unknown bundle key":   {f.bundle(good, `"mediaType"`, `"x":1,"mediaType"`), ErrBadSignature, "unknown key"},
		"payload type":         {f.bundle(good, statementPayloadType, "application/vnd.in-toto+JSON"), ErrBadSignature, "expected payload type"},
		"no signature":         {f.bundle(good, `"signatures":[{`, `"signatures":[],"x":[{`), ErrBadSignature, "unknown key"},
		"two signatures":       {f.bundle(good, `"signatures":[`, longer("QQ==")+`"},`), ErrBadSignature, "expected one signature, got 2"},
		"payload not signed":   {f.bundle(good, `"payload":"`, `"payload":"QQ==","x":"`), ErrBadSignature, "unknown key"},
		"payload line break":   {f.bundle(good, `"payload":"`, `"payload":"\n`), ErrBadSignature, "line break"},
		"signed without DSSE":  {signature{format: FormatBundle, signed: f.digest, body: f.tag(good).body}, ErrBadSignature, "unknown key"},
		"another key":          {newForger(t).bundle(good), ErrBadSignature, "not made by a key"},
		"a payload as bundle":  {f.bundle(f.payload(imageName, "null")), ErrBadSignature, "unknown key"},
		"too large":            {f.bundle(f.statement(`{"x":"` + strings.Repeat("x", maxBundle) + `"}`)), ErrBadSignature, "at most"},
		"raw signature in DER": {f.bundle(good, `"sig":"M`, `"sig":"A`), ErrBadSignature, ""},
	} {
		checkVerdict(t, name, f.policy("").judge(webRef(t), []signature{c.sig}, VerifyOptions{}), c.err, c.want)
	}
}

// TestNotes has bundles with things that are ignored and said to be.
func TestNotes(t *testing.T) {
	f := newForger(t)
	sig := f.bundle(f.statement(fmt.Sprintf(`{"ref":%q,"expires":"2020-01-01T00:00:00Z"}`, imageRef)),
		`"publicKey"`, `"tlogEntries":[{"logIndex":"1"}],"timestampVerificationData":{},"publicKey"`)
	v := f.policy("").judge(webRef(t), []signature{sig}, VerifyOptions{})
	if v.err != nil || len(v.findings) != 1 {
		t.Fatal(v.err)
	}
	for _, note := range []string{noteTransparencyLog, noteTimestamp, noteExpiry} {
		if !strings.Contains(v.findings[0].Reason, note) {
			t.Errorf("expected %q, got %q", note, v.findings[0].Reason)
		}
	}
}

// TestFloors has the signed annotations epoch, expires and ref, in both
// formats.
func TestFloors(t *testing.T) {
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	trusted := VerifyOptions{Now: now, ClockTrusted: true}
	stored := func(n uint64) VerifyOptions { return VerifyOptions{Epoch: n} }
	for name, c := range map[string]struct {
		notes, boot string
		o           VerifyOptions
		err         error
		want        string
	}{
		"no floor, none":             {``, "", trusted, nil, ""},
		"policy floor met":           {`"epoch":"7"`, "epoch = 7", trusted, nil, ""},
		"epoch as number":            {`"epoch":7`, "epoch = 7", trusted, nil, ""},
		"rollback below policy":      {`"epoch":"6"`, "epoch = 7", trusted, ErrEpoch, "expected at least 7, got 6"},
		"rollback below stored":      {`"epoch":"7"`, "epoch = 7", stored(8), ErrEpoch, "expected at least 8, got 7"},
		"policy above stored":        {`"epoch":"7"`, "epoch = 8", stored(6), ErrEpoch, "expected at least 8, got 7"},
		"floor, none":                {``, "epoch = 1", trusted, ErrEpoch, "the signature has none"},
		"epoch no number":            {`"epoch":"x"`, "", trusted, ErrEpoch, `expected a number, got "x"`},
		"epoch negative":             {`"epoch":"-1"`, "", trusted, ErrEpoch, "expected a number"},
		"epoch with sign":            {`"epoch":"+9"`, "epoch = 7", trusted, ErrEpoch, "expected a number"},
		"epoch overflow":             {`"epoch":"18446744073709551616"`, "epoch = 7", trusted, ErrEpoch, "expected a number"},
		"not expired":                {`"expires":"2026-11-20T00:00:01Z"`, "", trusted, nil, ""},
		"expired":                    {`"expires":"2026-11-20T00:00:00Z"`, "", trusted, ErrExpired, "at 2026-11-20T00:00:00Z, it is"},
		"expired, zone":              {`"expires":"2026-11-20T01:00:00+02:00"`, "", trusted, ErrExpired, "it is"},
		"expired, clock not trusted": {`"expires":"2020-01-01T00:00:00Z"`, "", VerifyOptions{Now: now}, nil, ""},
		"expiry no time":             {`"expires":"tomorrow"`, "", trusted, ErrExpired, "expected a time like"},
		"expiry no time, no clock":   {`"expires":"tomorrow"`, "", VerifyOptions{}, ErrExpired, "expected a time like"},
		"expiry required, there":     {`"expires":"2027-01-01T00:00:00Z"`, `expires = "required"`, trusted, nil, ""},
		"expiry required, none":      {``, `expires = "required"`, trusted, ErrExpired, "requires the signed annotation expires"},
		"expiry required, no clock":  {``, `expires = "required"`, VerifyOptions{}, ErrExpired, "requires"},
		"ref required, there":        {`"ref":"registry.example/os/web:stable"`, `ref = "required"`, trusted, nil, ""},
		"ref required, none":         {``, `ref = "required"`, trusted, ErrIdentity, ""},
		"channel swap":               {`"ref":"registry.example/os/web:testing"`, `ref = "required"`, trusted, ErrIdentity, "signed as registry.example/os/web:testing"},
		"channel swap, not asked":    {`"ref":"registry.example/os/web:testing"`, "", trusted, nil, ""},
		"ref without tag":            {`"ref":"registry.example/os/web"`, `ref = "required"`, trusted, ErrIdentity, "signed as"},
		"ref no name":                {`"ref":"registry.example/OS"`, `ref = "required"`, trusted, ErrIdentity, ""},
	} {
		f := newForger(t)
		full := c.notes
		if !strings.Contains(full, `"ref"`) && !strings.Contains(name, "ref required") {
			full = strings.Trim(full+`,"ref":"registry.example/os/web:stable"`, ",")
		}
		for _, sig := range []signature{f.tag(f.payload(imageName, "{"+full+"}")), f.bundle(f.statement("{" + full + "}"))} {
			v := f.policy(c.boot).judge(webRef(t), []signature{sig}, c.o)
			checkVerdict(t, name+" "+sig.format, v, c.err, c.want)
		}
	}
}

// TestRequirementLogic has keys a, b, c and requirements over them.
func TestRequirementLogic(t *testing.T) {
	f := newForger(t)
	a, b, c := f, forger{t, newForger(t).key, f.digest}, forger{t, newForger(t).key, f.digest}
	payload := f.payload(imageName, "null")
	sigs := map[string]signature{"a": a.tag(payload), "b": b.tag(payload), "c": c.tag(payload)}
	keys := map[string]*PublicKey{"a": a.key.Public(), "b": b.key.Public(), "c": c.key.Public()}
	policy := func(text string) *Policy {
		p := f.policy("")
		p.fallback = nil
		for clause := range strings.FieldsSeq(text) {
			r := requirement{kind: typeSigned, identity: identity{kind: matchRepository}}
			switch clause {
			case "reject":
				r.kind = typeReject
			case "any":
				r.kind = typeInsecure
			default:
				for k := range strings.SplitSeq(clause, "|") {
					r.keys = append(r.keys, keys[k])
				}
			}
			p.fallback = append(p.fallback, r)
		}
		return p
	}
	const twoOfThree = "a|b b|c a|c"
	for _, c := range []struct {
		policy, signed string
		err            error
	}{
		{"a", "a", nil}, {"a", "b", ErrBadSignature}, {"a", "", ErrUnsigned},
		{"a|b", "b", nil}, {"a|b", "c", ErrBadSignature},
		{"a b", "a b", nil}, {"a b", "a", ErrBadSignature}, {"a b", "b", ErrBadSignature},
		{twoOfThree, "a b", nil}, {twoOfThree, "b c", nil}, {twoOfThree, "a c", nil}, {twoOfThree, "a b c", nil},
		{twoOfThree, "a", ErrBadSignature}, {twoOfThree, "b b", ErrBadSignature}, {twoOfThree, "c c c", ErrBadSignature},
		{"reject", "a b c", ErrPolicy}, {"a reject", "a", ErrPolicy},
		{"any", "", nil}, {"any", "a", nil}, {"any a", "", ErrUnsigned}, {"any a", "a", nil},
		{"", "a", ErrPolicy},
	} {
		var list []signature
		for s := range strings.FieldsSeq(c.signed) {
			list = append(list, sigs[s])
		}
		v := policy(c.policy).judge(webRef(t), list, VerifyOptions{})
		if !errors.Is(v.err, c.err) || (v.err == nil) != (c.err == nil) {
			t.Errorf("policy %q, signed %q: expected %v, got %v", c.policy, c.signed, c.err, v.err)
		}
	}
}

// TestBadNeverHidesGood puts a good signature behind every kind of bad one.
func TestBadNeverHidesGood(t *testing.T) {
	f := newForger(t)
	good := f.tag(f.payload(imageName, "null"))
	list := []signature{
		f.tag(""), f.tag("{}"), {format: FormatBundle, signed: f.digest, body: []byte("x")},
		f.tag(f.payload("registry.example/evil", "null")), newForger(t).tag(f.payload(imageName, "null")),
		f.bundle(f.statement("{}")),
		good,
	}
	v := f.policy("").judge(webRef(t), list, VerifyOptions{})
	if v.err != nil || len(v.signers) != 1 || len(v.findings) != len(list) {
		t.Fatalf("expected one signer and %d findings, got %+v, %v", len(list), v, v.err)
	}
	for i, finding := range v.findings {
		if last := i == len(list)-1; finding.Counted != last || (finding.Reason == "") != last {
			t.Errorf("finding %d: got %+v", i, finding)
		}
	}
}

func TestVerifyZero(t *testing.T) {
	f := newForger(t)
	for name, s := range map[string]*Signed{"nil": nil, "zero": {}} {
		if img, err := f.policy("").Verify(s, VerifyOptions{}); !errors.Is(err, ErrUnsigned) || img != nil {
			t.Errorf("%s: expected %v, got %v", name, ErrUnsigned, err)
		}
	}
	s := &Signed{ref: webRef(t), top: f.digest}
	if _, err := new(Policy).Verify(s, VerifyOptions{}); !errors.Is(err, ErrPolicy) {
		t.Errorf("zero policy: expected %v, got %v", ErrPolicy, err)
	}
	var detail *VerifyError
	s.problems = []Finding{{Source: "referrers", Reason: "x", err: ErrUnreachable}}
	_, err := f.policy("").Verify(s, VerifyOptions{})
	if !errors.As(err, &detail) || !errors.Is(err, ErrUnsigned) || !errors.Is(err, ErrUnreachable) || len(detail.Findings) != 1 {
		t.Errorf("expected both errors and the finding, got %v", err)
	}
	if !new(Image).IsZero() || new(Image).Epoch() != 0 {
		t.Error("the zero Image is not zero")
	}
}

func FuzzPayload(f *testing.F) {
	key, err := GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	forged := forger{nil, key, Digest(testDigest)}
	f.Add([]byte(forged.payload(imageName, "null")))
	f.Add([]byte(forged.payload(imageName, `{"epoch":"7","x":[1,{"a":null}],"timestamp":1.5}`)))
	f.Add([]byte(`{"critical":{},"optional":{}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := parsePayload(payload)
		if err != nil {
			return
		}
		var std simpleSigning
		if err := json.Unmarshal(payload, &std); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", payload, err)
		}
		if std.Critical.Image.Digest != c.digest || std.Critical.Identity.DockerReference != c.name || std.Critical.Type != simpleSigningType {
			t.Fatalf("%q: two readings: %+v and %+v", payload, c, std)
		}
	})
}

func FuzzBundle(f *testing.F) {
	key, err := GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	for _, folder := range []string{"manifest-p256", "annotated", "attestation-not-signature"} {
		f.Add(readFile(f, samplesDir+folder+"/referrer0.bundle.json"), []byte(folder))
	}
	forged := forger{nil, key, Digest(testDigest)}
	f.Add([]byte("{}"), []byte(forged.statement(`{"ref":"a.b/c:d","n":1}`)))
	f.Fuzz(func(t *testing.T, bundle, payload []byte) {
		if _, _, err := openBundle(bundle, []*PublicKey{key.Public()}); err == nil {
			t.Fatalf("a bundle without a signature by the key counts: %q", bundle)
		}
		c, err := parseStatement(payload)
		if err != nil {
			return
		}
		var std struct {
			statement
			Predicate any `json:"predicate"`
		}
		if err := json.Unmarshal(payload, &std); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", payload, err)
		}
		if len(std.Subject) != 1 || sha256Prefix+fmt.Sprint(std.Subject[0].Digest["sha256"]) != c.digest || std.PredicateType != signPredicateType {
			t.Fatalf("%q: two readings: %+v and %+v", payload, c, std)
		}
	})
}
