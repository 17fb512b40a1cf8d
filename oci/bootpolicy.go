package oci

// BootPolicy is boot-policy.toml: what stock policy.json cannot say. The zero
// value is the default, everything off.
type BootPolicy struct {
	// Schema is the file's schema number, BootPolicySchema.
	Schema int
	// Epoch is the floor for the signed annotation epoch; 0 means none.
	Epoch uint64
	// Expires is "" (a signed expiry is honoured) or "required".
	Expires string
	// Ref is "" or "required" (the signed annotation ref must be the
	// reference asked for, tag included).
	Ref string
	// BundleIdentity is "" (a bundle names the image by its signed ref) or
	// "waived".
	BundleIdentity string
	// Allow is what may happen beside the plain boot.
	Allow Allow
}

// Allow is the table [allow] of boot-policy.toml.
type Allow struct {
	// Kargs are glob patterns of kernel arguments a configuration may add.
	Kargs []string
	// Containers allows privileged containers from configuration.
	Containers bool
	// Wipe allows erasing disks.
	Wipe bool
	// InsecureRegistry allows registries without a verified certificate.
	InsecureRegistry bool
	// UnsignedExtraArgs allows arguments from outside the signed image.
	UnsignedExtraArgs bool
	// Rescue allows a rescue shell.
	Rescue bool
	// Unsigned allows insecureAcceptAnything in policy.json.
	Unsigned bool
}

// BootPolicySchema is the only schema this version reads.
const BootPolicySchema = 1
