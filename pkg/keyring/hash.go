package keyring

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"

	"github.com/google/uuid"

	"github.com/contactmill/contactmill/pkg/fault"
)

// Hasher makes the hashes by which contacts are recognised. It is for one goroutine and allocates nothing.
type Hasher struct {
	mac hash.Hash
	in  [64]byte
	out [sha256.Size]byte
}

// Hash is the first 16 bytes of the HMAC-SHA-256 of account, key kind and value, under the primary key. The same value
// hashes alike only within one account and one kind. normalised is what the kind's parser made of the cell.
func (k *Keyring) Hash(account uuid.UUID, kind uint8, normalised []byte) [16]byte {
	h := k.hashers.Get().(*Hasher)
	defer k.hashers.Put(h)
	return h.Hash(account, kind, normalised)
}

// Hasher returns a hasher under the primary key.
func (k *Keyring) Hasher() *Hasher { return newHasher(k.hashes[k.primary]) }

// HasherOf returns a hasher under the key of that id; NotFound if there is none.
func (k *Keyring) HasherOf(id uint32) (*Hasher, error) {
	key, ok := k.hashes[id]
	if !ok {
		return nil, fault.New(fault.NotFound, "no-hash-key", "the keyring has no hash key %d", id)
	}
	return newHasher(key), nil
}

// HashKey is the id of the primary hash key.
func (k *Keyring) HashKey() uint32 { return k.primary }

func newHasher(key []byte) *Hasher {
	h := &Hasher{mac: hmac.New(sha256.New, key)}
	h.mac.Reset() // keeps the state after the key, so that no later hash computes it again
	return h
}

// Hash is as [Keyring.Hash].
func (h *Hasher) Hash(account uuid.UUID, kind uint8, normalised []byte) [16]byte {
	h.mac.Reset()
	b := append(h.in[:0], account[:]...)
	b = append(b, kind)
	if len(b)+len(normalised) <= len(h.in) {
		h.mac.Write(append(b, normalised...)) // one write, mostly one block
	} else {
		h.mac.Write(b)
		h.mac.Write(normalised)
	}
	return [16]byte(h.mac.Sum(h.out[:0])[:16])
}
