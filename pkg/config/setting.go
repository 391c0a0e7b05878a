package config

import (
	"encoding"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
)

// Secret is a setting that is never shown: printed, logged or marshalled it is "redacted". An empty one is shown empty.
type Secret string

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides it.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "redacted"
}

// Format hides it under every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue hides it in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides it in JSON and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// setting is one variable that a config knows.
type setting struct {
	name  string // of the variable
	field string
	value any
}

// settingsOf walks a config struct as caarlos0/env does.
func settingsOf(v reflect.Value, prefix string) []setting {
	var all []setting
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
		if name != "" {
			all = append(all, setting{prefix + name, f.Name, v.Field(i).Interface()})
			continue
		}
		if f.Type.Kind() == reflect.Struct && !isText(f.Type) {
			all = append(all, settingsOf(v.Field(i), prefix+f.Tag.Get("envPrefix"))...)
		}
	}
	return all
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
