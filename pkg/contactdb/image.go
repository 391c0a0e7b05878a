package contactdb

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/contact"
)

// image is the values of a contact, as they are or as they were.
type image struct {
	Values map[contact.Field]string // those that are there, own ones too; a secret one is Masked

	hashes  map[contact.Key]uuid.UUID // its unique keys, and the fallback key
	secrets map[contact.Field]string  // of own secret values the hashes, as they are stored
	named   []contact.Field           // own fields that are spoken of, with or without a value, in order
}

// imageScan reads an image: its columns are, in this order, the hash of the fallback key, those of the unique keys and the
// values, both in the order of Columns, own fields and the hashes of their keys.
type imageScan struct {
	columns, hashed []Column
	hashes          []uuid.NullUUID
	values          []*string
	own             []byte
	ownHashes       []uuid.NullUUID
}

func newImageScan() *imageScan {
	s := &imageScan{columns: Columns(), hashed: hashedColumns(), ownHashes: make([]uuid.NullUUID, contact.Keys-contact.OwnKey)}
	s.hashes, s.values = make([]uuid.NullUUID, 1+len(s.hashed)), make([]*string, len(s.columns))
	return s
}

// into is where the columns go.
func (s *imageScan) into() []any {
	var into []any
	for i := range s.hashes {
		into = append(into, &s.hashes[i])
	}
	for i := range s.values {
		into = append(into, &s.values[i])
	}
	into = append(into, &s.own)
	for i := range s.ownHashes {
		into = append(into, &s.ownHashes[i])
	}
	return into
}

// image is what was read.
func (s *imageScan) image() (image, error) {
	m := image{Values: map[contact.Field]string{}, hashes: map[contact.Key]uuid.UUID{}, secrets: map[contact.Field]string{}}
	for i, h := range s.hashes {
		switch {
		case !h.Valid:
		case i == 0:
			m.hashes[contact.NameBirthZip] = h.UUID
		default:
			m.hashes[s.hashed[i-1].Key] = h.UUID
		}
	}
	for i, v := range s.values {
		if v == nil {
			continue
		}
		m.Values[s.columns[i].Field] = *v
		if spec, _ := s.columns[i].Field.Spec(); spec.Secret {
			m.Values[s.columns[i].Field] = Masked
		}
	}
	for i, h := range s.ownHashes {
		if h.Valid {
			m.hashes[contact.Key(contact.OwnKey+i)] = h.UUID
		}
	}
	if s.own == nil {
		return m, nil
	}
	found, err := readOwn(s.own)
	if err != nil {
		return m, fmt.Errorf("read own fields: %w", err)
	}
	for f, v := range found {
		m.named = append(m.named, f)
		if v.none {
			continue
		}
		m.Values[f] = v.text
		if v.secret {
			m.secrets[f] = v.hash
		}
	}
	slices.Sort(m.named)
	return m, nil
}
