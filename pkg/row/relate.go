package row

import (
	"math"

	"github.com/google/uuid"
)

// Hit is a contact that has at least one key of a row.
type Hit struct {
	Contact    uuid.UUID
	Keys       uint16   // the keys that hit, bit n for key n
	ExternalID [16]byte // hash of the contact's external id; zero where it has none
}

// keyFallback is the stored number of the fallback key, which is not unique.
const keyFallback = 7

// Relate applies the rule of matching to the hits of one row, each contact at most once and in the order of their ids.
// chosen are the keys by which rows are matched, bit n for key n; 0 are all. The contacts that a chosen unique key finds are
// those the row may belong to. A hit by a unique key that was not chosen finds nobody: on any other contact than the one
// found it is in the way, and the first such contact is named. Hits by the fallback key count only if it is chosen and no
// unique key hits at all. externalID is the hash of the row's external id, zero where it has none: the one contact found
// must not have another. The verdict's Several is appended to dst, so that a caller can reuse it.
func Relate(hits []Hit, externalID [16]byte, chosen uint16, dst []Candidate) Verdict {
	if chosen == 0 {
		chosen = math.MaxUint16
	}
	const unique = math.MaxUint16 &^ (1 << keyFallback)
	by := chosen & unique
	if !anyHit(hits, unique) {
		by = chosen & (1 << keyFallback)
	}
	var found, barred *Hit
	n := 0
	for i := range hits {
		switch h := &hits[i]; {
		case h.Keys&by != 0:
			if n++; n == 1 {
				found = h
			}
		case h.Keys&unique != 0 && barred == nil:
			barred = h
		}
	}
	switch {
	case n > 1:
		for _, h := range hits {
			if h.Keys&by != 0 {
				dst = append(dst, Candidate{h.Contact, h.Keys})
			}
		}
		return Verdict{Relation: Several, Several: dst}
	case barred != nil:
		return Verdict{Relation: Other, Contact: barred.Contact, Keys: barred.Keys}
	case n == 0:
		return Verdict{Relation: None}
	}
	v := Verdict{Relation: One, Contact: found.Contact, Keys: found.Keys}
	var none [16]byte
	if externalID != none && found.ExternalID != none && externalID != found.ExternalID {
		v.Relation = Other
	}
	return v
}

// Asked are those of a file's keys that [Relate] wants to know of: all unique ones, and the fallback key if it is chosen.
func Asked(keys, chosen uint16) uint16 {
	if chosen != 0 && chosen&(1<<keyFallback) == 0 {
		keys &^= 1 << keyFallback
	}
	return keys
}

// anyHit tells whether one of the keys hits.
func anyHit(hits []Hit, keys uint16) bool {
	for i := range hits {
		if hits[i].Keys&keys != 0 {
			return true
		}
	}
	return false
}
