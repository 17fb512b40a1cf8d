package image

import "errors"

var (
	// ErrPolicy means that a policy is missing or trusts nothing.
	ErrPolicy = errors.New("policy")
	// ErrPrivateKey means that a private key is where everyone can read it.
	ErrPrivateKey = errors.New("private key in a payload")
	// ErrCA means that TLS roots are missing or are not certificates.
	ErrCA = errors.New("tls roots")
	// ErrInit means that a program cannot be /init.
	ErrInit = errors.New("init")
	// ErrModules means that kernel modules are missing.
	ErrModules = errors.New("kernel modules")
	// ErrFormat means that a file is no initramfs.
	ErrFormat = errors.New("not an initramfs")
)
