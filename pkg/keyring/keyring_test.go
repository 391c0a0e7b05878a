package keyring_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/contactmill/contactmill/pkg/fault"
	"github.com/contactmill/contactmill/pkg/keyring"
)

// fixed is a keyring with a known hash key (32 times 7) and one more (32 times 9).
func fixed(t testing.TB) *keyring.Keyring {
	t.Helper()
	b, err := os.ReadFile("testdata/keyring.json")
	if err != nil {
		t.Fatal(err)
	}
	k, err := keyring.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestHashIsTheHMACOfAccountKindAndValue(t *testing.T) {
	t.Parallel()
	k := fixed(t)
	h := k.Hasher()
	old, err := k.HasherOf(2)
	if err != nil {
		t.Fatal(err)
	}
	want := func(key byte, account uuid.UUID, kind uint8, value []byte) [16]byte {
		m := hmac.New(sha256.New, bytes.Repeat([]byte{key}, 32))
		m.Write(account[:])
		m.Write([]byte{kind})
		m.Write(value)
		return [16]byte(m.Sum(nil)[:16])
	}
	rapid.Check(t, func(t *rapid.T) {
		account := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "account"))
		kind := rapid.Byte().Draw(t, "kind")
		value := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "value")
		if w := want(7, account, kind, value); h.Hash(account, kind, value) != w || k.Hash(account, kind, value) != w {
			t.Errorf("hash of kind %d, %x differs from its definition", kind, value)
		}
		if old.Hash(account, kind, value) != want(9, account, kind, value) {
			t.Errorf("hash under the second key differs from its definition")
		}
	})
	if k.HashKey() != 1 {
		t.Errorf("HashKey() = %d, want 1", k.HashKey())
	}
	if _, err := k.HasherOf(3); fault.Of(err) != fault.NotFound {
		t.Errorf("HasherOf(3): %v, want NotFound", err)
	}
}

func TestHashByManyAtOnce(t *testing.T) {
	t.Parallel()
	k := fixed(t)
	account := uuid.New()
	want := k.Hash(account, 1, []byte("x"))
	var g sync.WaitGroup
	for range 4 {
		g.Go(func() {
			for range 500 {
				if got := k.Hash(account, 1, []byte("x")); got != want {
					t.Errorf("got %x, want %x", got, want)
					return
				}
			}
		})
	}
	g.Wait()
}

func TestSealOpensOnlyForWhatItWasSealed(t *testing.T) {
	t.Parallel()
	k := fixed(t)
	account, contact := uuid.New(), uuid.New()
	aads := map[string][]byte{
		"contact":       keyring.ForContact(account, "ssn", contact),
		"other field":   keyring.ForContact(account, "ssn2", contact),
		"other contact": keyring.ForContact(account, "ssn", account),
		"other account": keyring.ForContact(contact, "ssn", contact),
		"row":           keyring.ForRow(account, "ssn", contact, 0),
		"other row":     keyring.ForRow(account, "ssn", contact, 256),
		"other job":     keyring.ForRow(account, "ssn", account, 0),
	}
	for at, aad := range aads {
		sealed, err := k.Seal([]byte("078-05-1120"), aad)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(sealed, []byte("078-05")) {
			t.Errorf("%s: sealed value is readable", at)
		}
		for other, aad := range aads {
			got, err := k.Open(sealed, aad)
			if other == at && (err != nil || string(got) != "078-05-1120") {
				t.Errorf("%s: opened as %q: %v", at, got, err)
			}
			if other != at && fault.Of(err) != fault.DataLoss {
				t.Errorf("sealed for %s, opened for %s: %v", at, other, err)
			}
		}
		sealed[len(sealed)-1] ^= 1
		if _, err := k.Open(sealed, aad); fault.Of(err) != fault.DataLoss {
			t.Errorf("%s: changed value: %v", at, err)
		}
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyring.json")
	if _, err := keyring.Load(path); fault.Of(err) != fault.NotFound {
		t.Errorf("Load before Generate: %v", err)
	}
	made, err := keyring.Generate(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Generate(path); fault.Of(err) != fault.Exists {
		t.Errorf("Generate over a keyring: %v, want Exists", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600: %v", info.Mode(), err)
	}
	loaded, err := keyring.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	account := uuid.New()
	if made.Hash(account, 1, []byte("x")) != loaded.Hash(account, 1, []byte("x")) {
		t.Error("a loaded keyring hashes otherwise")
	}
	sealed, err := made.Seal([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyring.Rotate(path); err != nil {
		t.Fatal(err)
	}
	rotated, err := keyring.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := rotated.Open(sealed, nil); err != nil || string(got) != "x" {
		t.Errorf("the rotated keyring opens old values as %q: %v", got, err)
	}
	if made.Hash(account, 1, []byte("x")) != rotated.Hash(account, 1, []byte("x")) {
		t.Error("a rotated keyring hashes otherwise")
	}
	if sealed, err = rotated.Seal([]byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := loaded.Open(sealed, nil); err == nil {
		t.Error("the new key is not used")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".keyring-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestParseRefusesAndQuotesNothing(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("testdata/keyring.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":         "",
		"no JSON":       "c2VjcmV0",
		"other version": strings.Replace(string(good), `"version": 1`, `"version": 2`, 1),
		"unknown field": strings.Replace(string(good), `"version"`, `"c2VjcmV0": 1, "version"`, 1),
		"no primary":    strings.Replace(string(good), `"primary": 1`, `"primary": 5`, 1),
		"same id twice": strings.Replace(string(good), `"id": 2`, `"id": 1`, 1),
		"short key":     strings.Replace(string(good), "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", "c2VjcmV0", 1),
		"no AEAD":       strings.Replace(string(good), `"ENABLED"`, `"DESTROYED"`, 1),
	} {
		if text == string(good) {
			t.Fatalf("%s: the file was not changed", name)
		}
		if _, err := keyring.Parse([]byte(text)); fault.Of(err) != fault.Invalid || strings.Contains(err.Error(), "c2Vj") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrintsNothing(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, fixed(t)); got != "keyring" {
			t.Errorf("%s prints %q", format, got)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	h := fixed(b).Hasher()
	account, value := uuid.New(), []byte("ada.lovelace@example.com")
	b.ReportAllocs()
	for b.Loop() {
		h.Hash(account, 3, value)
	}
}

func TestHashAllocatesNothing(t *testing.T) {
	h := fixed(t).Hasher()
	account, value := uuid.New(), []byte("ada.lovelace@example.com")
	if n := testing.AllocsPerRun(100, func() { h.Hash(account, 3, value) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
