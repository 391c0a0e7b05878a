package postgres

import (
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"strings"
	"unicode"
)

// Queries reads the .sql files of a directory, one statement each, into the string fields of T by name: the field
// InsertContact is the file insert_contact.sql, and ContactByID is contact_by_id.sql. A field without its file, a file
// without its field and an empty file are errors, so a program that starts has every statement that it names.
//
//	//go:embed sql/*.sql
//	var files embed.FS
//
//	type statements struct{ InsertJob, JobByNumber string }
//
//	sql, err := postgres.Queries[statements](files, "sql")
func Queries[T any](files fs.FS, dir string) (T, error) {
	var into T
	texts, err := Statements(files, dir)
	if err != nil {
		return into, err
	}
	v := reflect.ValueOf(&into).Elem()
	if v.Kind() != reflect.Struct {
		return into, fmt.Errorf("read statements of %s: %T is no struct", dir, into)
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		n := snake(f.Name)
		text, ok := texts[n]
		if !ok || f.Type.Kind() != reflect.String || !f.IsExported() {
			return into, fmt.Errorf("read statements of %s: field %s needs a file %s.sql, to be exported and a string", dir, f.Name, n)
		}
		v.Field(i).SetString(text)
		delete(texts, n)
	}
	for n := range texts {
		return into, fmt.Errorf("read statements of %s: file %s.sql has no field in %T", dir, n, into)
	}
	return into, nil
}

// Statements reads the .sql files of a directory by their names without .sql.
func Statements(files fs.FS, dir string) (map[string]string, error) {
	names, err := fs.Glob(files, path.Join(dir, "*.sql"))
	if err != nil {
		return nil, fmt.Errorf("read statements of %s: %w", dir, err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("read statements of %s: there are none", dir)
	}
	texts := make(map[string]string, len(names))
	for _, n := range names {
		b, err := fs.ReadFile(files, n)
		if err != nil {
			return nil, fmt.Errorf("read statement %s: %w", n, err)
		}
		text := strings.TrimSpace(string(b))
		if text == "" {
			return nil, fmt.Errorf("read statement %s: it is empty", n)
		}
		texts[strings.TrimSuffix(path.Base(n), ".sql")] = text
	}
	return texts, nil
}

// snake turns JobByID into job_by_id and SSNOf into ssn_of.
func snake(s string) string {
	var b strings.Builder
	r := []rune(s)
	for i, c := range r {
		if unicode.IsUpper(c) && i > 0 && (!unicode.IsUpper(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
