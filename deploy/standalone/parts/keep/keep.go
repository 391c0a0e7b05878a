// Package keep writes small files so that a power cut leaves either all of them or nothing.
package keep

import (
	"errors"
	"os"
	"path/filepath"
)

// File writes body to the file name, readable by its owner alone. When it returns nil the file is on disk; before, the old one is.
func File(name string, body []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(body)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return Dir(filepath.Dir(name))
}

// Dir syncs the entries of a directory.
func Dir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
