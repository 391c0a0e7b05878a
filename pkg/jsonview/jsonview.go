// Package jsonview writes protobuf messages as the JSON that people and scripts see: on the command line and over HTTP.
//
// Names are snake_case as in the .proto, in its order. Numbers are numbers, 64-bit ones too; numbers, truth values and
// lists are shown even when zero or empty, so that a script never has to tell "absent" from "none". Left out are empty
// strings and bytes, messages and optional fields that are not set, and enums that are not set. Enums are spelled
// without their type's prefix (JOB_STATE_COMPLETED is "COMPLETED"), times are RFC 3339 in UTC, durations are seconds,
// bytes are base64, maps are objects sorted by key.
//
// protojson cannot be told this: it quotes 64-bit numbers, keeps prefixes and varies its white space.
package jsonview

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxDepth bounds messages within messages; ours have four levels.
const maxDepth = 64

// Marshal returns m as one JSON value without white space and without a line end. The same message always gives the same
// bytes. A number that JSON cannot hold (NaN, infinity), text that is not UTF-8, and a time outside the years 1 to 9999
// are errors.
func Marshal(m proto.Message) ([]byte, error) {
	if m == nil {
		return nil, errors.New("write JSON: no message")
	}
	b, err := appendMessage(nil, m.ProtoReflect(), maxDepth)
	if err != nil {
		return nil, fmt.Errorf("write JSON of %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return b, nil
}

// MarshalIndent is Marshal for people: two spaces a level.
func MarshalIndent(m proto.Message) ([]byte, error) {
	b, err := Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, fmt.Errorf("indent JSON: %w", err)
	}
	return out.Bytes(), nil
}

// EnumName is a value's name without its type's prefix: "COMPLETED" for JOB_STATE_COMPLETED; a value that this release
// does not know is its number.
func EnumName(e protoreflect.Enum) string { return enumName(e.Descriptor(), e.Number()) }

func enumName(d protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	v := d.Values().ByNumber(n)
	if v == nil {
		return strconv.FormatInt(int64(n), 10)
	}
	return strings.TrimPrefix(string(v.Name()), upperSnake(string(d.Name()))+"_")
}

// upperSnake turns JobState into JOB_STATE, the prefix that buf asks for.
func upperSnake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

func appendMessage(b []byte, m protoreflect.Message, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, fmt.Errorf("more than %d levels", maxDepth)
	}
	switch v := m.Interface().(type) {
	case *timestamppb.Timestamp:
		if err := v.CheckValid(); err != nil {
			return nil, fmt.Errorf("time: %w", err)
		}
		return append(v.AsTime().AppendFormat(append(b, '"'), time.RFC3339Nano), '"'), nil
	case *durationpb.Duration:
		if err := v.CheckValid(); err != nil {
			return nil, fmt.Errorf("duration: %w", err)
		}
		return strconv.AppendFloat(b, v.AsDuration().Seconds(), 'f', -1, 64), nil
	}
	b = append(b, '{')
	first := true
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !shown(m, f) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = strconv.AppendQuote(b, string(f.Name())) // a proto name: ASCII letters, digits and underscores
		b = append(b, ':')
		var err error
		if b, err = appendField(b, f, m.Get(f), depth); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	return append(b, '}'), nil
}

func shown(m protoreflect.Message, f protoreflect.FieldDescriptor) bool {
	if f.IsList() || f.IsMap() {
		return true
	}
	if f.HasPresence() {
		return m.Has(f)
	}
	switch f.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.EnumKind:
		return m.Has(f)
	}
	return true
}

func appendField(b []byte, f protoreflect.FieldDescriptor, v protoreflect.Value, depth int) ([]byte, error) {
	switch {
	case f.IsMap():
		return appendMap(b, f, v.Map(), depth)
	case f.IsList():
		b = append(b, '[')
		list := v.List()
		for i := range list.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendValue(b, f, list.Get(i), depth); err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return append(b, ']'), nil
	}
	return appendValue(b, f, v, depth)
}

func appendMap(b []byte, f protoreflect.FieldDescriptor, m protoreflect.Map, depth int) ([]byte, error) {
	keys := make([]protoreflect.MapKey, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendString(b, k.String()); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendValue(b, f.MapValue(), m.Get(k), depth); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendValue(b []byte, f protoreflect.FieldDescriptor, v protoreflect.Value, depth int) ([]byte, error) {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, v.Bool()), nil
	case protoreflect.EnumKind:
		return appendString(b, enumName(f.Enum(), v.Enum()))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind, protoreflect.Int64Kind, protoreflect.Sint64Kind,
		protoreflect.Sfixed64Kind:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return strconv.AppendUint(b, v.Uint(), 10), nil
	case protoreflect.FloatKind:
		return appendFloat(b, v.Float(), 32)
	case protoreflect.DoubleKind:
		return appendFloat(b, v.Float(), 64)
	case protoreflect.StringKind:
		return appendString(b, v.String())
	case protoreflect.BytesKind:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"'), nil
	}
	return appendMessage(b, v.Message(), depth-1)
}

func appendFloat(b []byte, v float64, bits int) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, errors.New("not a finite number")
	}
	return strconv.AppendFloat(b, v, 'g', -1, bits), nil
}
