package contact

import (
	"fmt"
	"slices"
)

// Schema is the fields that an account has: the standard ones and its own. It is not changed once it is made, and serves any
// number of goroutines. The zero value and nil have the standard fields alone.
type Schema struct {
	own    []Spec
	byName map[string]Field
}

// NewSchema adds an account's own fields to the standard ones. Names, numbers and keys have to differ from all others; a
// field that is not unique has the key NoKey. Codes have to differ from the others of their book, and hold no semicolon, which
// stands between several.
func NewSchema(own []Spec) (*Schema, error) {
	s := &Schema{own: slices.Clone(own), byName: make(map[string]Field, len(own))}
	seen := make(map[Field]bool, len(own))
	keys := make(map[Key]string, Keys-OwnKey)
	for i := range s.own {
		f := &s.own[i]
		if _, standard := FieldByName(f.Name); standard || s.byName[f.Name] != NoField || f.Name == "" {
			return nil, fmt.Errorf("two fields of the account are called %q, or it is a standard field's name", f.Name)
		}
		if f.Number < FirstCustom || seen[f.Number] {
			return nil, fmt.Errorf("the field %q has no number of its own", f.Name)
		}
		if f.Key != NoKey {
			if f.Key < OwnKey || f.Key >= Keys || keys[f.Key] != "" {
				return nil, fmt.Errorf("the field %q has the key %d: a unique own field has %d to %d, one for each, any other has NoKey", f.Name, f.Key, OwnKey, Keys-1)
			}
			keys[f.Key] = f.Name
		}
		if f.Type == TypeCriterion || f.Type == TypeCriteria {
			book, err := newCodeBook(f.Codes)
			if err != nil {
				return nil, fmt.Errorf("read the code book of the field %q: %w", f.Name, err)
			}
			f.book = book
		}
		s.byName[f.Name], seen[f.Number] = f.Number, true
	}
	return s, nil
}

// Own returns the account's own fields, in the order they were given.
func (s *Schema) Own() []Spec {
	if s == nil {
		return nil
	}
	return s.own
}

// Fields returns the standard fields and the account's own.
func (s *Schema) Fields() []Field {
	all := Fields()
	for i := range s.Own() {
		all = append(all, s.own[i].Number)
	}
	return all
}

// Field finds a field by its stable name.
func (s *Schema) Field(name string) (Field, bool) {
	if f, ok := FieldByName(name); ok || s == nil {
		return f, ok
	}
	f, ok := s.byName[name]
	return f, ok
}

// Spec is what is known of a field; false for NoField and fields that the account does not have.
func (s *Schema) Spec(f Field) (Spec, bool) {
	if f < FirstCustom {
		return f.Spec()
	}
	for i := range s.Own() {
		if s.own[i].Number == f {
			return s.own[i], true
		}
	}
	return Spec{Key: NoKey}, false
}

// Name is the field's stable name, empty for one that the account does not have.
func (s *Schema) Name(f Field) string {
	spec, _ := s.Spec(f)
	return spec.Name
}

// KeyName is the stable name of a key; that of an own field is the field's.
func (s *Schema) KeyName(k Key) string {
	if k >= OwnKey && k < Keys {
		for i := range s.Own() {
			if s.own[i].Key == k {
				return s.own[i].Name
			}
		}
	}
	return k.String()
}

// KeyNamed is the key with a name, and false if the account has none of that name.
func (s *Schema) KeyNamed(name string) (Key, bool) {
	for k := range Key(Keys) {
		if s.KeyName(k) == name && (k < OwnKey || k.String() != name) {
			return k, true
		}
	}
	return NoKey, false
}
