package flash

// Parts that tests drive without a real device.
var (
	NewMTD          = newMTD
	ParseProtection = parseProtection
)

// MTDDevice is what NewMTD needs.
type MTDDevice = mtdDevice
