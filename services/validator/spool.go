package validator

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/contactmill/contactmill/pkg/sheet"
)

// spool keeps a file that has to be read out of order, such as a workbook, on disk: without a name, so that it is gone with
// the process however that ends, and under a key that is nowhere but here.
type spool struct {
	file  *os.File
	block cipher.Block
	to    cipher.Stream
	room  []byte
}

// newSpool makes a spool in a directory.
func newSpool(dir string) (sheet.Spool, error) {
	f, err := nameless(dir)
	if err != nil {
		return nil, fmt.Errorf("make room for a file: %w", err)
	}
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return nil, errors.Join(fmt.Errorf("make a key: %w", err), f.Close())
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a key: %w", err), f.Close())
	}
	s := &spool{file: f, block: block}
	s.to = s.stream(0)
	return s, nil
}

// nameless opens a file that has no name; where the file system cannot, its name is taken away at once.
func nameless(dir string) (*os.File, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	if f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600); err == nil {
		return f, nil
	}
	f, err := os.CreateTemp(dir, "spool-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// tryDir tells early of a directory that takes no files.
func tryDir(dir string) error {
	f, err := nameless(dir)
	if err != nil {
		return fmt.Errorf("try the directory for workbooks (CONTACTMILL_SPOOL_DIR): %w", err)
	}
	return f.Close()
}

// stream is the key stream from a block of 16 bytes on.
func (s *spool) stream(block int64) cipher.Stream {
	var iv [aes.BlockSize]byte
	binary.BigEndian.PutUint64(iv[8:], uint64(block))
	return cipher.NewCTR(s.block, iv[:])
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	if cap(s.room) < len(p) {
		s.room = make([]byte, len(p))
	}
	sealed := s.room[:len(p)]
	s.to.XORKeyStream(sealed, p)
	return s.file.Write(sealed)
}

// ReadAt implements io.ReaderAt.
func (s *spool) ReadAt(p []byte, at int64) (int, error) {
	n, err := s.file.ReadAt(p, at)
	stream := s.stream(at / aes.BlockSize)
	var skipped [aes.BlockSize]byte
	stream.XORKeyStream(skipped[:at%aes.BlockSize], skipped[:at%aes.BlockSize])
	stream.XORKeyStream(p[:n], p[:n])
	return n, err
}

// Close implements io.Closer: the file is gone.
func (s *spool) Close() error { return s.file.Close() }
