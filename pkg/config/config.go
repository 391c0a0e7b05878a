// Package config reads a program's settings from its environment. Every setting is a variable CONTACTMILL_NAME; a
// secret may come from a file named by CONTACTMILL_NAME_FILE instead. A variable with our prefix that nobody knows is
// an error: it is a setting that somebody believes in.
//
// A config is a struct with caarlos0/env tags, without the prefix:
//
//	type Config struct {
//		run.Config
//		DatabaseURL config.Secret `env:"DATABASE_URL,required"`
//		Slots       int           `env:"SLOTS" envDefault:"4"`
//	}
//
// A program made of several parts loads one struct that has the config of each as a field.
package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/contactmill/contactmill/pkg/fault"
)

const (
	// Prefix of every variable of ours.
	Prefix = "CONTACTMILL_"

	testPrefix = Prefix + "TEST_" // read by tests only, and no business of a program that a test starts
	fileSuffix = "_FILE"
	fileLimit  = 1 << 20 // bytes of a secret's file
)

// Load reads T from environ (as os.Environ gives it). Its errors are Invalid, name the variable and quote no value.
func Load[T any](environ []string) (T, error) {
	var cfg T
	vars, err := ours(environ)
	if err != nil {
		return cfg, err
	}
	settings := settingsOf(reflect.ValueOf(&cfg).Elem(), Prefix)
	if err := readFiles(vars, settings); err != nil {
		return cfg, err
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if !slices.ContainsFunc(settings, func(s setting) bool { return s.name == name }) {
			return cfg, unknown(name, vars[name], settings)
		}
	}
	return cfg, parse(&cfg, vars, settings)
}

// Part reads the settings of T from environ and leaves those of others alone: for what a program needs before its own
// config is known. Load later refuses what nobody knows.
func Part[T any](environ []string) (T, error) {
	var cfg T
	vars, err := ours(environ)
	if err != nil {
		return cfg, err
	}
	settings := settingsOf(reflect.ValueOf(&cfg).Elem(), Prefix)
	if err := readFiles(vars, settings); err != nil {
		return cfg, err
	}
	return cfg, parse(&cfg, vars, settings)
}

// Print writes the effective settings of cfg, a line each, secrets redacted.
func Print(w io.Writer, cfg any) error {
	v := reflect.Indirect(reflect.ValueOf(cfg))
	shown := map[string]bool{} // parts of a program may share a setting
	for _, s := range settingsOf(v, Prefix) {
		if shown[s.name] {
			continue
		}
		shown[s.name] = true
		if _, err := fmt.Fprintf(w, "%s=%v\n", s.name, s.value); err != nil {
			return fmt.Errorf("print config: %w", err)
		}
	}
	return nil
}

func ours(environ []string) (map[string]string, error) {
	vars := map[string]string{}
	for _, line := range environ {
		name, value, ok := strings.Cut(line, "=")
		if !ok || !strings.HasPrefix(name, Prefix) || strings.HasPrefix(name, testPrefix) {
			continue
		}
		if old, twice := vars[name]; twice && old != value {
			return nil, fault.New(fault.Invalid, "setting-twice", "%s is set twice", name)
		}
		vars[name] = value
	}
	return vars, nil
}

// readFiles puts the content of each NAME_FILE in the place of NAME, without the line end that editors leave.
func readFiles(vars map[string]string, settings []setting) error {
	for _, s := range settings {
		path, ok := vars[s.name+fileSuffix]
		if !ok || slices.ContainsFunc(settings, func(o setting) bool { return o.name == s.name+fileSuffix }) {
			continue
		}
		if _, both := vars[s.name]; both {
			return fault.New(fault.Invalid, "setting-twice", "%s and %s%s are both set", s.name, s.name, fileSuffix)
		}
		content, err := readSome(path)
		if err != nil {
			return fault.Wrap(fault.Invalid, "setting-unreadable", err, "%s%s cannot be read", s.name, fileSuffix)
		}
		vars[s.name] = strings.TrimRight(content, "\r\n")
		delete(vars, s.name+fileSuffix)
	}
	return nil
}

func readSome(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, fileLimit+1))
	if err == nil && len(b) > fileLimit {
		err = fmt.Errorf("%s is larger than %d bytes", path, fileLimit)
	}
	return string(b), err
}

func parse(cfg any, vars map[string]string, settings []setting) error {
	err := env.ParseWithOptions(cfg, env.Options{Environment: vars, Prefix: Prefix})
	if err == nil {
		return nil
	}
	// env's errors quote what they could not parse, and name the field, not the variable
	var said []string
	all, ok := errors.AsType[env.AggregateError](err)
	if !ok {
		return fault.New(fault.Invalid, "bad-config", "the settings cannot be read: %v", err)
	}
	for _, e := range all.Errors {
		if p, ok := errors.AsType[env.ParseError](e); ok {
			said = append(said, names(settings, p.Name)+" is no "+p.Type.String())
		} else if m, ok := errors.AsType[env.VarIsNotSetError](e); ok {
			said = append(said, m.Key+" is not set")
		} else if m, ok := errors.AsType[env.EmptyVarError](e); ok {
			said = append(said, m.Key+" is empty")
		} else {
			said = append(said, e.Error())
		}
	}
	return fault.New(fault.Invalid, "bad-config", "%s", strings.Join(said, "; "))
}

func names(settings []setting, field string) string {
	var found []string
	for _, s := range settings {
		if s.field == field {
			found = append(found, s.name)
		}
	}
	return strings.Join(found, " or ")
}

func unknown(name, value string, settings []setting) error {
	err := fault.New(fault.Invalid, "unknown-setting", "%s is no setting of this program", name)
	if strings.HasPrefix(value, "tcp://") || strings.Contains(name, "_SERVICE_") {
		return err.Hint("Kubernetes sets it for a Service of that name: set enableServiceLinks: false for the pod")
	}
	best, least := "", len(name)/3
	for _, s := range settings {
		if d := distance(name, s.name); d < least {
			best, least = s.name, d
		}
	}
	if best != "" {
		return err.Hint("did you mean %s?", best)
	}
	return err
}

// distance is the number of letters to insert, delete or replace to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := corner
			if a[i] != b[j] {
				replace++
			}
			corner = row[j+1]
			row[j+1] = min(replace, row[j]+1, corner+1)
		}
	}
	return row[len(b)]
}
