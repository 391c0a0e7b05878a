// Package keyring holds the secrets that protect contact data at rest: keys that encrypt secret fields (Tink, AES-256-GCM)
// and keys of the hashes by which contacts are recognised (HMAC-SHA-256). Losing the keyring loses every secret field
// and every match: back it up apart from the database.
//
// Several keys of each sort may be in it. New work is done with the primary one; the others still open what they
// sealed. Stored hashes do not say their key, so whoever stores them keeps [Keyring.HashKey] beside them once, and
// replacing the primary hash key means hashing again.
package keyring

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/contactmill/contactmill/pkg/fault"
)

const hashKeySize = 32

// Keyring is safe for concurrent use.
type Keyring struct {
	handle  *keyset.Handle
	aead    tink.AEAD
	primary uint32
	hashes  map[uint32][]byte
	hashers sync.Pool // of *Hasher, primary key
}

// file is the keyring as JSON.
type file struct {
	Version int             `json:"version"`
	AEAD    json.RawMessage `json:"aead"` // a Tink keyset in clear text
	Hash    struct {
		Primary uint32    `json:"primary"`
		Keys    []hashKey `json:"keys"`
	} `json:"hash"`
}

type hashKey struct {
	ID  uint32 `json:"id"`
	Key []byte `json:"key"` // 32 bytes
}

// New makes a keyring with fresh keys that lives in memory.
func New() (*Keyring, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make encryption key: %w", err)
	}
	key := make([]byte, hashKeySize)
	rand.Read(key) // never fails
	return build(handle, 1, map[uint32][]byte{1: key})
}

// Generate writes a keyring with fresh keys to a file that only its owner may read. It never replaces one that is
// there: that is Exists.
func Generate(path string) (*Keyring, error) {
	k, err := New()
	if err != nil {
		return nil, err
	}
	if err := k.write(path, os.Link); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, fault.Wrap(fault.Exists, "keyring-exists", err, "there is a keyring at %s already", path)
		}
		return nil, err
	}
	return k, nil
}

// Rotate adds a fresh encryption key to the keyring in a file and makes it the primary one. Programs that read the file
// earlier cannot open what the new key seals: start them again first with the rotated file, wherever they read it from.
func Rotate(path string) error {
	k, err := Load(path)
	if err != nil {
		return err
	}
	m := keyset.NewManagerFromHandle(k.handle)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("make encryption key: %w", err)
	}
	if err := m.SetPrimary(id); err != nil {
		return fmt.Errorf("make encryption key the primary one: %w", err)
	}
	if k.handle, err = m.Handle(); err != nil {
		return fmt.Errorf("rotate encryption key: %w", err)
	}
	return k.write(path, os.Rename)
}

// Load reads a keyring from a file. NotFound if there is none.
func Load(path string) (*Keyring, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.NotFound, "no-keyring", err, "there is no keyring at %s", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read keyring: %w", err)
	}
	k, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("read keyring %s: %w", path, err)
	}
	return k, nil
}

// Parse reads a keyring from the bytes of its file. Its errors do not quote them.
func Parse(b []byte) (*Keyring, error) {
	var f file
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.Version != 1 {
		return nil, fault.New(fault.Invalid, "bad-keyring", "this is no keyring of version 1")
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(f.AEAD)))
	if err != nil {
		return nil, fault.New(fault.Invalid, "bad-keyring", "its encryption keys cannot be read")
	}
	keys := map[uint32][]byte{}
	for _, h := range f.Hash.Keys {
		if len(h.Key) != hashKeySize || keys[h.ID] != nil {
			return nil, fault.New(fault.Invalid, "bad-keyring", "hash key %d is there twice or has not %d bytes", h.ID, hashKeySize)
		}
		keys[h.ID] = h.Key
	}
	if keys[f.Hash.Primary] == nil {
		return nil, fault.New(fault.Invalid, "bad-keyring", "its primary hash key %d is missing", f.Hash.Primary)
	}
	return build(handle, f.Hash.Primary, keys)
}

func build(handle *keyset.Handle, primary uint32, keys map[uint32][]byte) (*Keyring, error) {
	a, err := aead.New(handle)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "bad-keyring", err, "its encryption keys cannot be used")
	}
	k := &Keyring{handle: handle, aead: a, primary: primary, hashes: keys}
	k.hashers.New = func() any { return k.Hasher() }
	return k, nil
}

// String keeps a keyring that is printed by mistake to itself.
func (k *Keyring) String() string { return "keyring" }

// GoString does the same for %#v.
func (k *Keyring) GoString() string { return "keyring" }

// Seal encrypts plaintext. aad says what it belongs to (see [ForContact], [ForRow]) and must be given to Open alike.
func (k *Keyring) Seal(plaintext, aad []byte) ([]byte, error) {
	sealed, err := k.aead.Encrypt(plaintext, aad)
	if err != nil {
		return nil, fmt.Errorf("seal value: %w", err)
	}
	return sealed, nil
}

// Open decrypts what Seal made. DataLoss if it was changed, belongs to something else or was sealed with a key that is
// not in this keyring; which of these cannot be told.
func (k *Keyring) Open(sealed, aad []byte) ([]byte, error) {
	plaintext, err := k.aead.Decrypt(sealed, aad)
	if err != nil {
		return nil, fault.Wrap(fault.DataLoss, "seal-broken", err, "a sealed value cannot be opened")
	}
	return plaintext, nil
}

// ForContact is what a secret value of a contact is bound to.
func ForContact(account uuid.UUID, field string, contact uuid.UUID) []byte {
	b := make([]byte, 0, 1+2*16+len(field))
	b = append(append(append(b, 'c'), account[:]...), contact[:]...)
	return append(b, field...)
}

// ForRow is what a secret cell of a job's row is bound to, from validation to merge.
func ForRow(account uuid.UUID, field string, job uuid.UUID, row uint64) []byte {
	b := make([]byte, 0, 1+2*16+8+len(field))
	b = append(append(append(b, 'r'), account[:]...), job[:]...)
	for shift := 56; shift >= 0; shift -= 8 {
		b = append(b, byte(row>>shift))
	}
	return append(b, field...)
}

// write puts the keyring into a file beside path, on disk, and then in place by link or rename.
func (k *Keyring) write(path string, place func(from, to string) error) (err error) {
	var clear bytes.Buffer
	if err := insecurecleartextkeyset.Write(k.handle, keyset.NewJSONWriter(&clear)); err != nil {
		return fmt.Errorf("write encryption keys: %w", err)
	}
	f := file{Version: 1, AEAD: clear.Bytes()}
	f.Hash.Primary = k.primary
	for id, key := range k.hashes {
		f.Hash.Keys = append(f.Hash.Keys, hashKey{id, key})
	}
	slices.SortFunc(f.Hash.Keys, func(a, b hashKey) int { return int(a.ID) - int(b.ID) })
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("write keyring: %w", err)
	}

	temp, err := os.CreateTemp(filepath.Dir(path), ".keyring-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write keyring: %w", err)
	}
	defer os.Remove(temp.Name()) // of a renamed file there is nothing left to remove
	_, err = temp.Write(append(b, '\n'))
	if err == nil {
		err = temp.Sync()
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return fmt.Errorf("write keyring: %w", err)
	}
	if err := place(temp.Name(), path); err != nil {
		return fmt.Errorf("write keyring: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write keyring: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
