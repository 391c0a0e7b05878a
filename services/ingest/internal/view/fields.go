package view

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/contactmill/contactmill/pkg/contact"
	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
	"github.com/contactmill/contactmill/services/ingest/internal/ledger"
)

// maxFields bounds the fields that a job goes by, in bytes, so that they pass in one message with the work.
const maxFields = 2 << 20

// FreezeFields is the account's own fields among those listed, as the ledger keeps them; nil if it has none.
func FreezeFields(listed []*accountsv1.Field) ([]byte, error) {
	own := &accountsv1.ListFieldsResponse{}
	for _, f := range listed {
		if !f.GetStandard() {
			own.Fields = append(own.Fields, f)
		}
	}
	if len(own.GetFields()) == 0 {
		return nil, nil
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(own)
	if err != nil {
		return nil, fmt.Errorf("encode fields: %w", err)
	}
	if len(b) > maxFields {
		return nil, FieldsTooLarge()
	}
	return b, nil
}

// FieldsTooLarge says that an account's fields do not pass.
func FieldsTooLarge() error {
	return fault.New(fault.Precondition, "fields-too-large", "the account's fields and code books are larger than the limit of %d bytes", maxFields).
		Hint("make the code books smaller")
}

// Fields is what FreezeFields was given.
func Fields(frozen []byte) ([]*accountsv1.Field, error) {
	var own accountsv1.ListFieldsResponse
	if err := proto.Unmarshal(frozen, &own); err != nil {
		return nil, fmt.Errorf("decode fields: %w", err)
	}
	return own.GetFields(), nil
}

// KnownFields refuses a mapping, or values, for a field that is neither a standard one nor one of the frozen ones.
func KnownFields(frozen []byte, mapping map[string]string, values ledger.Values) error {
	if len(mapping) == 0 && len(values) == 0 {
		return nil
	}
	fields, err := Fields(frozen)
	if err != nil {
		return err
	}
	var names []string
	for _, f := range contact.Fields() {
		names = append(names, f.String())
	}
	for _, f := range fields {
		names = append(names, f.GetName())
	}
	known := make(map[string]bool, len(names))
	for _, n := range names {
		known[n] = true
	}
	const most = 60 // names in a hint
	list := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		list += ", ..."
	}
	for _, field := range mapping {
		if !known[field] && field != "-" {
			return fault.New(fault.Invalid, "unknown-field", "a heading is mapped to %q, which is no field", cut(field)).
				Hint("the fields are %s; \"-\" ignores the column", list)
		}
	}
	for field := range values {
		if !known[field] {
			return fault.New(fault.Invalid, "unknown-field", "values are mapped for %q, which is no field", cut(field)).Hint("the fields are %s", list)
		}
	}
	return nil
}
