package contactdb

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/keyring"
)

// Sets of fields in staged and changed rows and in the journal have bit n for standard field n. Bit 0, which is no field,
// stands for all own fields together, and the bits from firstOwnKey on for the keys that unique ones make.
const (
	ownBit      = 1
	firstOwnKey = 48
	ownKeyBits  = (1<<(contact.Keys-contact.OwnKey) - 1) << firstOwnKey
)

// ownKind is the kind of the keyed hash of an own field's value that is no key; the field's number goes before the value.
const ownKind = 128

// What a withdrawn authorisation is, and what takes one back.
const (
	Withdrawn = "False"
	TakenBack = "Empty"
)

// OwnKeyBit is the bit of an own key in sets of fields.
func OwnKeyBit(k contact.Key) uint64 { return 1 << (firstOwnKey + k - contact.OwnKey) }

// OwnName is the name under which an own field's values are stored: its number, for the field's name may be given to
// another one day.
func OwnName(f contact.Field) string { return strconv.Itoa(int(f)) }

// OwnValues is values of own fields as the database keeps them, made one by one. It is reused without allocation.
type OwnValues struct {
	buf  []byte
	text []byte
}

// Reset forgets all.
func (o *OwnValues) Reset() { o.buf = o.buf[:0] }

// JSON is the object; nil if there is no value in it. It is valid until the next Reset.
func (o *OwnValues) JSON() []byte {
	if len(o.buf) == 0 {
		return nil
	}
	return append(o.buf, '}')
}

// Text adds a value in normal form: UTF-8 without NUL.
func (o *OwnValues) Text(f contact.Field, value []byte) {
	o.begin(f)
	o.buf = appendString(o.buf, value)
}

// Secret adds a value that was sealed for account, OwnName and contact, with its keyed hash by OwnHash, by which alone
// values can be compared.
func (o *OwnValues) Secret(f contact.Field, hash [16]byte, sealed []byte) {
	o.begin(f)
	o.buf = append(o.buf, `["`...)
	o.buf = base64.RawStdEncoding.AppendEncode(o.buf, hash[:])
	o.buf = append(o.buf, `","`...)
	o.buf = base64.RawStdEncoding.AppendEncode(o.buf, sealed)
	o.buf = append(o.buf, `"]`...)
}

// Clear adds the word that the field has no value any more.
func (o *OwnValues) Clear(f contact.Field) {
	o.begin(f)
	o.buf = append(o.buf, "null"...)
}

// Hash is the keyed hash of an own field's value, where it is no key.
func (o *OwnValues) Hash(h *keyring.Hasher, account uuid.UUID, f contact.Field, value []byte) [16]byte {
	o.text = append(append(o.text[:0], byte(f>>8), byte(f)), value...)
	return h.Hash(account, ownKind, o.text)
}

func (o *OwnValues) begin(f contact.Field) {
	if len(o.buf) == 0 {
		o.buf = append(o.buf, '{')
	} else {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(strconv.AppendUint(append(o.buf, '"'), uint64(f), 10), `":`...)
}

// appendString appends a JSON string of valid UTF-8.
func appendString(b, s []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i, c := range s {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		if c < ' ' {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		} else {
			b = append(b, '\\', c)
		}
	}
	return append(append(b, s[from:]...), '"')
}

// ownValue is an own field's value as it is stored.
type ownValue struct {
	text   string // Masked of a secret one
	hash   string // of a secret one, as it is stored
	secret bool
	none   bool // in the journal: it had none
}

// readOwn reads the column own.
func readOwn(b []byte) (map[contact.Field]ownValue, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, err
	}
	own := make(map[contact.Field]ownValue, len(raw))
	for name, r := range raw {
		n, err := strconv.ParseUint(name, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is no number of a field", name)
		}
		var v ownValue
		var sealed [2]string
		switch {
		case string(r) == "null":
			v.none = true
		case json.Unmarshal(r, &v.text) == nil:
		case json.Unmarshal(r, &sealed) == nil:
			v = ownValue{text: Masked, hash: sealed[0], secret: true}
		default:
			return nil, fmt.Errorf("the value of field %d is neither text nor sealed", n)
		}
		own[contact.Field(n)] = v
	}
	return own, nil
}

// ownNumbers are the numbers of own fields of a type, as text; never nil.
func ownNumbers(own []contact.Spec, t contact.Type) []string {
	numbers := []string{}
	for i := range own {
		if own[i].Type == t {
			numbers = append(numbers, OwnName(own[i].Number))
		}
	}
	return numbers
}

// ownKeys are the unique ones among own fields: their numbers as text, and the bits of their keys.
func ownKeys(own []contact.Spec) (numbers []string, bits []int64) {
	numbers, bits = []string{}, []int64{}
	for i := range own {
		if k := own[i].Key; k != contact.NoKey {
			numbers, bits = append(numbers, OwnName(own[i].Number)), append(bits, int64(OwnKeyBit(k)))
		}
	}
	return numbers, bits
}
