package contact

import (
	"strings"

	"github.com/contactmill/contactmill/pkg/contact/finding"
)

// vatMasks gives the forms of VAT numbers after the country prefix, as the European Commission publishes them (VIES,
// "VAT identification number structure"), with the United Kingdom, Northern Ireland, Norway and Switzerland beside
// them. The signs are those of zipMasks.
func vatMasks(prefix string) string {
	switch prefix {
	case "AT":
		return "U########"
	case "BE":
		return "##########|#########"
	case "BG":
		return "#########|##########"
	case "CH":
		return "E#########|E#########MWST|E#########TVA|E#########IVA|E#########VAT"
	case "CY":
		return "########@"
	case "CZ":
		return "########|#########|##########"
	case "DE", "EE", "PT":
		return "#########"
	case "EL", "GR", "EU":
		return "#########"
	case "DK", "FI", "HU", "LU", "MT", "SI":
		return "########"
	case "ES":
		return "@#######@|@########|########@"
	case "FR":
		return "**#########"
	case "GB", "XI":
		return "#########|############|GD###|HA###"
	case "HR", "IT", "LV":
		return "###########"
	case "IE":
		return "#######@|#######@@|#@#####@|#*#####@"
	case "LT":
		return "#########|############"
	case "NL":
		return "#########B##"
	case "NO":
		return "#########|#########MVA"
	case "PL", "SK":
		return "##########"
	case "RO":
		return "##########|#########|########|#######|######|#####|####|###|##"
	case "SE":
		return "############"
	}
	return ""
}

// AppendVAT appends a VAT number in upper case with its country prefix and without spaces, dots or hyphens. The prefix
// may be left out when country is set. Greece is EL, its prefix in the Union's systems. Form and check digits are
// tested, not whether the number was given out.
func AppendVAT(dst, cell []byte, country Country) ([]byte, Code) {
	base := len(dst)
	s, ok := asciiOf(trim(cell, false))
	if !ok || len(s) == 0 || len(s) > 32 {
		return dst, finding.VATInvalid
	}
	for _, c := range s {
		switch {
		case c-'a' < 26:
			dst = append(dst, c-('a'-'A'))
		case c-'A' < 26, c-'0' < 10:
			dst = append(dst, c)
		case c == ' ' || c == '.' || c == '-' || c == '/':
		default:
			return dst[:base], finding.VATInvalid
		}
	}
	n := dst[base:]
	if len(n) < 3 {
		return dst[:base], finding.VATInvalid
	}
	masks := vatMasks(string(n[:2]))
	var buf [32]byte
	body := append(buf[:0], n...)
	var prefix [2]byte
	switch {
	case masks != "":
		copy(prefix[:], n)
		body = body[2:]
		if code := appendVAT(body, masks, prefix); code == "" {
			break
		} else if country == 0 {
			return dst[:base], code
		}
		body = buf[:len(n)] // FR and ES numbers may begin with letters that look like a prefix
		fallthrough
	case country != 0:
		country.Append(prefix[:0])
		if masks = vatMasks(string(prefix[:])); masks == "" {
			return dst[:base], finding.VATCountryUnknown
		}
		if code := appendVAT(body, masks, prefix); code != "" {
			return dst[:base], code
		}
	default:
		return dst[:base], finding.VATCountryUnknown
	}
	if string(prefix[:]) == "GR" {
		prefix = [2]byte{'E', 'L'}
	}
	dst = append(append(dst[:base], prefix[:]...), body...)
	return dst, ""
}

func appendVAT(body []byte, masks string, prefix [2]byte) Code {
	var buf [32]byte
	for rest := masks; rest != ""; {
		var mask string
		mask, rest, _ = strings.Cut(rest, "|")
		if _, ok := appendMasked(buf[:0], body, mask); ok {
			if !vatCheck(prefix, body) {
				return finding.VATInvalid
			}
			return ""
		}
	}
	return finding.VATInvalid
}
