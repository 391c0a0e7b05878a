// Package people makes files of invented people: names that nobody bears together, addresses at domains that are kept for
// examples. The same options make the same bytes.
package people

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
)

// Options of Write.
type Options struct {
	Seed       uint64
	Rows       int
	Duplicates float64 // share of rows that repeat an earlier row's keys
	Invalid    float64 // share of rows with a cell that no field takes
	Messy      float64 // share of phones that are written in other ways than E.164
	First      int     // number of the first person, so that files overlap or do not
	Fictional  bool    // phones that nobody is given; there are enough for MostFictional people
}

// Counts is what a file was made of.
type Counts struct{ Rows, Good, Duplicates, Invalid int }

// Heading is the file's first line.
const Heading = "External id,First name,Last name,Email,Phone number,Date of birth,Address,City,Zip code,Company\n"

var (
	firstNames = []string{"Ada", "Alan", "Barbara", "Carlos", "Chiara", "Dmitri", "Edith", "Emre", "Fatima", "Finn", "Grace", "Hana", "Hugo", "Ines", "Ivo", "Jamal",
		"Jun", "Katya", "Lars", "Leila", "Lucia", "Mads", "Maya", "Milan", "Nadia", "Noah", "Olga", "Omar", "Paula", "Pim", "Quinn", "Rosa", "Sam", "Sofia", "Tariq", "Uma",
		"Vera", "Walt", "Xenia", "Yusuf", "Zoe"}
	syllables = []string{"al", "ber", "cor", "dan", "el", "fen", "gar", "hol", "ing", "jor", "kel", "lan", "mor", "nor", "ol", "per", "quil", "ros", "sten", "tor", "ul", "ver", "wick", "yar", "zel"}
	endings   = []string{"a", "ano", "berg", "chuk", "dal", "ek", "field", "ford", "house", "ini", "land", "ley", "man", "ov", "sen", "son", "stein", "ton", "well", "wood"}
	streets   = []string{"Alder Way", "Birch Street", "Canal Road", "Dock Lane", "Elm Avenue", "Foundry Row", "Garden Court", "Harbor Drive", "Mill Street", "Orchard Hill", "Quarry Road", "Station Square"}
	cities    = []struct {
		name, zip string
		areas     []int
	}{
		{"Washington", "200", []int{202}}, {"New York", "100", []int{212, 646, 718}}, {"Boston", "021", []int{617, 857}}, {"Chicago", "606", []int{312, 773}},
		{"Houston", "770", []int{713, 832}}, {"Denver", "802", []int{303, 720}}, {"Seattle", "981", []int{206}}, {"Portland", "972", []int{503, 971}},
		{"Atlanta", "303", []int{404, 678}}, {"Miami", "331", []int{305, 786}}, {"Phoenix", "850", []int{602, 480}}, {"Los Angeles", "900", []int{213, 310, 323}},
		{"San Diego", "921", []int{619, 858}}, {"Dallas", "752", []int{214, 972}}, {"Detroit", "482", []int{313}}, {"Saint Louis", "631", []int{314}},
	}
	companies = []string{"Alder & Co", "Blue Kiln", "Copperline", "Dawn Works", "Eastgate", "Fernhill", "Granary", "Hollow Oak", "Ironbridge", "Juniper Lab"}
	domains   = []string{"example.com", "example.net", "example.org"}
)

// person is somebody by number: the same number is always the same person.
type person struct {
	number int
	r      *rand.Rand
}

func personOf(seed uint64, number int) person {
	return person{number, rand.New(rand.NewPCG(seed, uint64(number)))}
}

// mix spreads numbers over a range without two of them meeting: size and step share no factor.
func mix(n, size, step int) int { return int(uint64(n) * uint64(step) % uint64(size)) }

func (p person) append(b []byte, o Options) []byte {
	r := p.r
	first := firstNames[r.IntN(len(firstNames))]
	last := syllables[r.IntN(len(syllables))] + syllables[r.IntN(len(syllables))] + endings[r.IntN(len(endings))]
	last = string(last[0]-'a'+'A') + last[1:]
	city := cities[r.IntN(len(cities))]
	shuffled := mix(p.number, 99_999_989, 61_803_399) // keys do not come in order
	b = append(b, 'C')
	b = fmt.Appendf(b, "%08d", shuffled)
	b = append(append(append(append(append(b, ','), first...), ','), last...), ',')
	b = append(append(append(b, lower(first)...), '.'), lower(last)...)
	b = strconv.AppendInt(b, int64(p.number), 36)
	b = append(append(append(b, '@'), domains[r.IntN(len(domains))]...), ',')
	b = p.phone(b, o)
	b = append(b, ',')
	b = fmt.Appendf(b, "%04d-%02d-%02d,", 1940+r.IntN(65), 1+r.IntN(12), 1+r.IntN(28))
	b = strconv.AppendInt(b, int64(1+r.IntN(980)), 10)
	b = append(append(append(b, ' '), streets[r.IntN(len(streets))]...), ',')
	b = append(append(append(append(b, city.name...), ','), city.zip...), byte('0'+r.IntN(10)), byte('0'+r.IntN(10)), ',')
	if r.IntN(3) == 0 {
		b = append(b, companies[r.IntN(len(companies))]...)
	}
	return b
}

// areas are the area codes in use.
var areas = func() (a []int) {
	for _, c := range cities {
		a = append(a, c.areas...)
	}
	return a
}()

// fictional are area codes each of which has the hundred numbers 555-0100 to 555-0199, which nobody is given.
var fictional = []int{201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229, 231, 234, 239, 240, 248, 251, 252,
	253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304, 305, 307, 308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323}

// MostFictional is how many people have phones of their own that nobody is given.
const MostFictional = 5_800

// exchanges is how many an area code has: 200 to 999 without the eight that end in 11.
const exchanges = 792

// phone is unique to the number of a person.
func (p person) phone(b []byte, o Options) []byte {
	var area, exchange, last int
	if o.Fictional {
		area, exchange, last = fictional[p.number/100%len(fictional)], 555, 100+p.number%100
	} else {
		area = areas[p.number%len(areas)]
		line := mix(p.number/len(areas), exchanges*10_000, 4_893_619)
		exchange, last = 200+line/10_000, line%10_000
		exchange += (exchange - 200 + 88) / 99 // skips 211, 311, ...
		if exchange%100 == 11 {
			exchange++
		}
	}
	if p.r.Float64() >= o.Messy {
		return fmt.Appendf(b, "+1%03d%03d%04d", area, exchange, last)
	}
	switch p.r.IntN(4) {
	case 0:
		return fmt.Appendf(b, "(%03d) %03d-%04d", area, exchange, last)
	case 1:
		return fmt.Appendf(b, "%03d.%03d.%04d", area, exchange, last)
	case 2:
		return fmt.Appendf(b, "1-%03d-%03d-%04d", area, exchange, last)
	}
	return fmt.Appendf(b, "%03d %03d %04d", area, exchange, last)
}

func lower(s string) string { return string(s[0]-'A'+'a') + s[1:] }

// Write writes a file with its heading and tells what it made it of.
func Write(w io.Writer, o Options) (Counts, error) {
	out := bufio.NewWriterSize(w, 1<<16)
	c := Counts{Rows: o.Rows}
	invalid := int(o.Invalid*float64(o.Rows) + .5)
	repeats := int(o.Duplicates*float64(o.Rows) + .5)
	r := rand.New(rand.NewPCG(o.Seed, 0x5eed))
	step := 1
	for s := o.Rows*5/8 + 1; s < 2*o.Rows+2; s++ { // a step that visits every row once
		if gcd(s, o.Rows) == 1 {
			step = s
			break
		}
	}
	var good []int
	var b []byte
	out.WriteString(Heading)
	for i := range o.Rows {
		n := o.First + i
		switch at := ((i+1)*step - 1) % o.Rows; {
		case at < invalid:
			c.Invalid++
			b = spoil(personOf(o.Seed, n).append(b[:0], o), r)
		case at < invalid+repeats && len(good) > 0:
			c.Duplicates++
			b = personOf(o.Seed, good[r.IntN(len(good))]).append(b[:0], o)
		default:
			c.Good++
			good = append(good, n)
			b = personOf(o.Seed, n).append(b[:0], o)
		}
		b = append(b, '\n')
		if _, err := out.Write(b); err != nil {
			return c, err
		}
	}
	return c, out.Flush()
}

// spoil makes a cell one that no field takes.
func spoil(b []byte, r *rand.Rand) []byte {
	fields := bytes.Split(b, []byte{','})
	switch r.IntN(3) {
	case 0:
		fields[3] = bytes.ReplaceAll(fields[3], []byte{'@'}, []byte(" at "))
	case 1:
		fields[4] = []byte("12 34")
	case 2:
		fields[5] = append(append([]byte(nil), fields[5][:5]...), "02-30"...)
	}
	return bytes.Join(fields, []byte{','})
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
