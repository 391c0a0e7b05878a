package contact

// vatCheck tests the check digits of a number whose form is right, by the rules that the member states publish. n is the
// number without its prefix. Forms without a published rule pass.
func vatCheck(prefix [2]byte, n []byte) bool {
	last := int(n[len(n)-1] - '0')
	switch string(prefix[:]) {
	case "AT":
		return check10(luhn(n[1:8], 1)+4) == last
	case "BE":
		if len(n) == 9 {
			return 97-decimal(n[:7])%97 == decimal(n[7:])
		}
		return n[0] <= '1' && string(n[:2]) != "00" && 97-decimal(n[:8])%97 == decimal(n[8:])
	case "BG":
		return vatBG(n)
	case "CH":
		c := 11 - weigh(n[1:9], 5, 4, 3, 2, 7, 6, 5, 4)%11
		return c != 10 && c%11 == int(n[9]-'0')
	case "CY":
		return vatCY(n)
	case "CZ":
		return vatCZ(n)
	case "DE":
		return n[0] != '0' && mod11_10(n)
	case "DK":
		return weigh(n, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0
	case "EE":
		return string(n[:2]) == "10" && check10(weigh(n, 3, 7, 1, 3, 7, 1, 3, 7)) == last
	case "EL", "GR":
		return weigh(n, 256, 128, 64, 32, 16, 8, 4, 2)%11%10 == last
	case "ES":
		return vatES(n)
	case "FI":
		return zeroFrom10(11-weigh(n, 7, 9, 10, 5, 8, 4, 2)%11) == last
	case "FR":
		return vatFR(n)
	case "GB", "XI":
		return vatGB(n)
	case "HR":
		return mod11_10(n)
	case "HU":
		return check10(weigh(n, 9, 7, 3, 1, 9, 7, 3)) == last
	case "IE":
		return vatIE(n)
	case "IT":
		province := decimal(n[7:10])
		return string(n[:7]) != "0000000" && (province >= 1 && province <= 201 || province == 888 || province == 999) &&
			check10(luhn(n[:10], 1)) == last
	case "LT":
		return vatLT(n)
	case "LU":
		return decimal(n[:6])%89 == decimal(n[6:])
	case "LV":
		return vatLV(n)
	case "MT":
		return n[0] != '0' && 37-weigh(n, 3, 4, 6, 7, 8, 9)%37 == decimal(n[6:])
	case "NL":
		return weigh(n, 9, 8, 7, 6, 5, 4, 3, 2)%11%10 == int(n[8]-'0') || vatNL97(n)
	case "NO":
		c := 11 - weigh(n, 3, 2, 7, 6, 5, 4, 3, 2)%11
		return c != 10 && c%11 == int(n[8]-'0')
	case "PL":
		return weigh(n, 6, 5, 7, 2, 3, 4, 5, 6, 7)%11%10 == last
	case "PT":
		return zeroFrom10(11-weigh(n, 9, 8, 7, 6, 5, 4, 3, 2)%11) == last
	case "RO":
		weights := [...]int{7, 5, 3, 2, 1, 7, 5, 3, 2}
		return n[0] != '0' && 10*weigh(n, weights[10-len(n):]...)%11%10 == last
	case "SE":
		return string(n[10:]) != "00" && check10(luhn(n[:9], 2)) == int(n[9]-'0')
	case "SI":
		c := 11 - weigh(n, 8, 7, 6, 5, 4, 3, 2)%11
		return n[0] != '0' && c != 11 && c%10 == last
	case "SK":
		return n[0] != '0' && n[2] != '0' && n[2] != '1' && n[2] != '5' && decimal(n)%11 == 0
	}
	return true
}

// weigh sums the leading digits of n times their weights.
func weigh(n []byte, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += int(n[i]-'0') * w
	}
	return sum
}

// luhn sums the digits, every second one doubled and its own digits added, beginning with the factor first.
func luhn(n []byte, first int) int {
	sum, factor := 0, first
	for _, c := range n {
		t := int(c-'0') * factor
		sum += t/10 + t%10
		factor = 3 - factor
	}
	return sum
}

func check10(sum int) int { return (10 - sum%10) % 10 }

func zeroFrom10(c int) int {
	if c > 9 {
		return 0
	}
	return c
}

func decimal(n []byte) int {
	v := 0
	for _, c := range n {
		v = v*10 + int(c-'0')
	}
	return v
}

// mod11_10 is ISO 7064, MOD 11,10 over all digits, the last being the check digit.
func mod11_10(n []byte) bool {
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

// vatBG: nine digits for legal persons; ten for natural persons, foreigners and others, each with a rule of its own.
func vatBG(n []byte) bool {
	last := int(n[len(n)-1] - '0')
	if len(n) == 9 {
		c := weigh(n, 1, 2, 3, 4, 5, 6, 7, 8) % 11
		if c == 10 {
			c = weigh(n, 3, 4, 5, 6, 7, 8, 9, 10) % 11 % 10
		}
		return c == last
	}
	month, day := decimal(n[2:4]), decimal(n[4:6])
	born := day >= 1 && day <= 31 && (month >= 1 && month <= 12 || month >= 21 && month <= 32 || month >= 41 && month <= 52)
	if born && weigh(n, 2, 4, 8, 5, 10, 9, 7, 3, 6)%11%10 == last {
		return true
	}
	if weigh(n, 21, 19, 17, 13, 11, 9, 7, 3, 1)%10 == last {
		return true
	}
	c := 11 - weigh(n, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11
	return c != 10 && c%11 == last
}

func vatCY(n []byte) bool {
	if n[0] > '5' && n[0] != '9' || string(n[:2]) == "12" {
		return false
	}
	odd := [10]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21}
	sum := 0
	for i, c := range n[:8] {
		if i%2 == 0 {
			sum += odd[c-'0']
		} else {
			sum += int(c - '0')
		}
	}
	return n[8] == byte('A'+sum%26)
}

// vatCZ: eight digits for legal persons; nine or ten for natural ones, whose number begins with the birth date.
func vatCZ(n []byte) bool {
	last := int(n[len(n)-1] - '0')
	switch len(n) {
	case 8:
		c := 11 - weigh(n, 8, 7, 6, 5, 4, 3, 2)%11
		return n[0] != '9' && c%10 == last
	case 9:
		if n[0] == '6' {
			sum := weigh(n[1:], 8, 7, 6, 5, 4, 3, 2)
			step := 11 - sum%11
			return [...]int{8, 7, 6, 5, 4, 3, 2, 1, 0, 9, 8}[step-1] == last
		}
		month, day := decimal(n[2:4]), decimal(n[4:6])
		return decimal(n[:2]) <= 53 && day >= 1 && day <= 31 && (month >= 1 && month <= 12 || month >= 51 && month <= 62)
	}
	pairs := 0
	for i := 0; i < 10; i += 2 {
		pairs += decimal(n[i : i+2])
	}
	return pairs%11 == 0 && decimal(n)%11 == 0
}

// vatES: juridical persons have a letter first and a digit or letter to check; natural ones a letter last.
func vatES(n []byte) bool {
	const letters = "TRWAGMYFPDXBNJZSQVHLCKE"
	first, last := n[0], n[8]
	digits := n[1:8]
	switch {
	case first-'0' < 10:
		return last == letters[decimal(n[:8])%23]
	case first == 'X' || first == 'Y' || first == 'Z':
		return last == letters[(int(first-'X')*10_000_000+decimal(digits))%23]
	case first == 'K' || first == 'L' || first == 'M':
		return last == letters[decimal(digits)%23]
	}
	c := check10(luhn(digits, 2))
	if last-'0' < 10 {
		return (first >= 'A' && first <= 'H' || first == 'J' || first == 'U' || first == 'V') && int(last-'0') == c
	}
	if c == 0 {
		c = 10
	}
	return (first >= 'A' && first <= 'H' || first >= 'N' && first <= 'S' || first == 'W') && last == byte('A'+c-1)
}

// vatFR: the key of two digits is computed; one with letters is not.
func vatFR(n []byte) bool {
	for _, c := range n[:2] {
		if c == 'I' || c == 'O' {
			return false
		}
	}
	if !allDigits(n[:2]) {
		return true
	}
	return (decimal(n[2:])*100+12)%97 == decimal(n[:2])
}

func vatGB(n []byte) bool {
	switch {
	case n[0] == 'G':
		return decimal(n[2:]) < 500
	case n[0] == 'H':
		return decimal(n[2:]) >= 500
	}
	number := decimal(n[:7])
	if number == 0 {
		return false
	}
	check := decimal(n[7:9])
	sum := weigh(n, 8, 7, 6, 5, 4, 3, 2)
	old := (97 - sum%97) % 97
	if (old == check || old == 0 && check == 97) && number < 9990001 && (number < 100000 || number > 999999) && (number < 9490001 || number > 9700000) {
		return true
	}
	if old >= 55 {
		old -= 55
	} else {
		old += 42
	}
	return old == check && number > 1000000
}

// vatIE: seven digits and a letter, with a second letter since 2013; before, the second place could hold a letter.
func vatIE(n []byte) bool {
	var d [7]byte
	copy(d[:], n)
	if n[1]-'0' > 9 {
		if n[0] < '7' {
			return false
		}
		d[0] = '0'
		copy(d[1:], n[2:7])
		d[6] = n[0]
	}
	sum := weigh(d[:], 8, 7, 6, 5, 4, 3, 2)
	if len(n) == 9 {
		if n[8] > 'I' {
			return false
		}
		sum += 9 * int(n[8]-'A'+1)
	}
	if sum%23 == 0 {
		return n[7] == 'W'
	}
	return n[7] == byte('A'+sum%23-1)
}

func vatLT(n []byte) bool {
	last := int(n[len(n)-1] - '0')
	first, second := []int{1, 2, 3, 4, 5, 6, 7, 8}, []int{3, 4, 5, 6, 7, 8, 9, 1}
	if len(n) == 12 {
		first, second = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2}, []int{3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4}
	}
	c := weigh(n, first...) % 11
	if c == 10 {
		c = weigh(n, second...) % 11 % 10
	}
	return n[len(n)-2] == '1' && c == last
}

// vatLV: natural persons' numbers begin with a birth date, legal ones' with 4 to 9.
func vatLV(n []byte) bool {
	if n[0] <= '3' {
		day, month := decimal(n[:2]), decimal(n[2:4])
		return day == 32 || day >= 1 && day <= 31 && month >= 1 && month <= 12
	}
	sum := weigh(n, 9, 1, 4, 8, 3, 10, 2, 5, 7, 6)
	c := 3 - sum%11
	switch {
	case c == -1:
		return false
	case c < -1:
		c += 11
	}
	return c == int(n[10]-'0')
}

// vatNL97: the numbers of sole traders since 2020 are checked as a whole, MOD 97 of ISO 7064 with letters as two digits.
func vatNL97(n []byte) bool {
	r := 2321 // N, L
	for _, c := range n {
		if c-'0' < 10 {
			r = (r*10 + int(c-'0')) % 97
		} else {
			r = (r*100 + int(c-'A') + 10) % 97
		}
	}
	return r == 1
}
