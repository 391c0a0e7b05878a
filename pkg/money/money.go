// Package money says sums as people read them. Sums are kept as whole millionths of a currency, and nothing is rounded.
package money

import (
	"strconv"
	"strings"

	"golang.org/x/text/currency"
)

const (
	// micros is how many of them one unit of a currency is; they have six decimals.
	micros   = 1_000_000
	decimals = 6
)

// Text is a sum of millionths of a currency (ISO 4217) in words: "1,240.00 EUR", "0.0005 USD", "12 JPY". It has the
// decimals that are usual for the currency, and more where the sum does. Without a currency nothing costs anything, and
// the text is empty.
func Text(sum int64, iso string) string {
	if iso == "" {
		return ""
	}
	usual := 2
	if unit, err := currency.ParseISO(iso); err == nil {
		usual, _ = currency.Standard.Rounding(unit)
	}
	sign, size := "", uint64(sum)
	if sum < 0 {
		sign, size = "-", -size
	}
	rest := strconv.FormatUint(micros+size%micros, 10)[1:]
	rest = rest[:min(usual, decimals)] + strings.TrimRight(rest[min(usual, decimals):], "0")
	if rest != "" {
		rest = "." + rest
	}
	return sign + grouped(size/micros) + rest + " " + iso
}

// grouped is a number with a comma between thousands.
func grouped(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
