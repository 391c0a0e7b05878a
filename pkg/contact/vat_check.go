package contact

// vatCheck tests the check digits of a number whose form is right. Countries without a published rule pass.
func vatCheck(prefix [2]byte, n []byte) bool {
	switch string(prefix[:]) {
	case "DE":
		return vatMod11_10(n)
	}
	return true
}

// vatMod11_10 is ISO 7064, MOD 11,10 over all digits, the last being the check digit.
func vatMod11_10(n []byte) bool {
	p := 10
	for _, c := range n[:len(n)-1] {
		s := (int(c-'0') + p) % 10
		if s == 0 {
			s = 10
		}
		p = 2 * s % 11
	}
	return (11-p)%10 == int(n[len(n)-1]-'0')
}
