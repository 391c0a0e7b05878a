package accounts

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/google/uuid"
)

// An API key is "cm_", the key's id, "_" and a random secret of 256 bits, both in lower-case base32 without padding:
// one double click selects it, and whoever scans for leaked keys knows it by its prefix.
const (
	keyPrefix   = "cm_"
	idLength    = 26
	secretBytes = 32
	keyLength   = len(keyPrefix) + idLength + 1 + 52
)

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret makes the API key of an id, and what is stored of it.
func newSecret(id uuid.UUID) (key string, hash [32]byte) {
	secret := make([]byte, secretBytes)
	rand.Read(secret) // never fails
	return keyPrefix + encoding.EncodeToString(id[:]) + "_" + encoding.EncodeToString(secret), sha256.Sum256(secret)
}

// parseSecret takes an API key apart; false if it is none. A key has one spelling only.
func parseSecret(key string) (id uuid.UUID, hash [32]byte, ok bool) {
	if len(key) != keyLength || !strings.HasPrefix(key, keyPrefix) || key[len(keyPrefix)+idLength] != '_' {
		return uuid.Nil, hash, false
	}
	idText, secretText := key[len(keyPrefix):len(keyPrefix)+idLength], key[len(keyPrefix)+idLength+1:]
	idBytes, err := encoding.DecodeString(idText)
	if err != nil || encoding.EncodeToString(idBytes) != idText {
		return uuid.Nil, hash, false
	}
	secret, err := encoding.DecodeString(secretText)
	if err != nil || encoding.EncodeToString(secret) != secretText {
		return uuid.Nil, hash, false
	}
	return uuid.UUID(idBytes), sha256.Sum256(secret), true
}
