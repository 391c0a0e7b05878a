package row

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestRelate(t *testing.T) {
	ext, other, zero := [16]byte{1}, [16]byte{2}, [16]byte{}
	for name, c := range map[string]struct {
		hits []Hit
		ext  [16]byte
		want Verdict
		keys uint16
	}{
		"nobody":                     {nil, ext, Verdict{Relation: None}, 0},
		"one by phone":               {[]Hit{{alice, 8, zero}}, ext, Verdict{Relation: One, Contact: alice, Keys: 8}, 0},
		"one, row has no external":   {[]Hit{{alice, 8, other}}, zero, Verdict{Relation: One, Contact: alice, Keys: 8}, 0},
		"one who is somebody else":   {[]Hit{{alice, 8, other}}, ext, Verdict{Relation: Other, Contact: alice, Keys: 8}, 0},
		"one by external and phone":  {[]Hit{{alice, 10, ext}}, ext, Verdict{Relation: One, Contact: alice, Keys: 10}, 0},
		"two":                        {[]Hit{{alice, 2, ext}, {bob, 8, other}}, ext, Verdict{Relation: Several, Several: []Candidate{{alice, 2}, {bob, 8}}}, 0},
		"unique beats fallback":      {[]Hit{{alice, 128, zero}, {bob, 4, zero}}, zero, Verdict{Relation: One, Contact: bob, Keys: 4}, 0},
		"fallback alone":             {[]Hit{{alice, 128, zero}}, zero, Verdict{Relation: One, Contact: alice, Keys: 128}, 0},
		"fallback twice":             {[]Hit{{alice, 128, zero}, {bob, 128, zero}}, zero, Verdict{Relation: Several, Several: []Candidate{{alice, 128}, {bob, 128}}}, 0},
		"two unique and a fallback":  {[]Hit{{alice, 2, zero}, {bob, 128, zero}, {uuid.Max, 4, zero}}, zero, Verdict{Relation: Several, Several: []Candidate{{alice, 2}, {uuid.Max, 4}}}, 0},
		"fallback who is other kind": {[]Hit{{alice, 128, other}}, ext, Verdict{Relation: Other, Contact: alice, Keys: 128}, 0},

		"chosen hits":                      {[]Hit{{alice, 2, ext}}, ext, Verdict{Relation: One, Contact: alice, Keys: 2}, 2},
		"chosen and another on one":        {[]Hit{{alice, 10, ext}}, ext, Verdict{Relation: One, Contact: alice, Keys: 10}, 2},
		"another's phone beside it":        {[]Hit{{alice, 2, ext}, {bob, 8, zero}}, ext, Verdict{Relation: Other, Contact: bob, Keys: 8}, 2},
		"only another's phone":             {[]Hit{{bob, 8, zero}}, ext, Verdict{Relation: Other, Contact: bob, Keys: 8}, 2},
		"phones of two":                    {[]Hit{{alice, 4, zero}, {bob, 8, zero}}, ext, Verdict{Relation: Other, Contact: alice, Keys: 4}, 2},
		"two by chosen keys":               {[]Hit{{alice, 2, ext}, {bob, 4, zero}, {uuid.Max, 8, zero}}, ext, Verdict{Relation: Several, Several: []Candidate{{alice, 2}, {bob, 4}}}, 6},
		"chosen, with another external id": {[]Hit{{alice, 4, other}}, ext, Verdict{Relation: Other, Contact: alice, Keys: 4}, 4},
		"fallback not chosen":              {[]Hit{{alice, 128, zero}}, zero, Verdict{Relation: None}, 2},
		"fallback chosen":                  {[]Hit{{alice, 128, zero}}, zero, Verdict{Relation: One, Contact: alice, Keys: 128}, 130},
		"fallback chosen, another hits":    {[]Hit{{alice, 128, zero}, {bob, 8, zero}}, zero, Verdict{Relation: Other, Contact: bob, Keys: 8}, 128},
		"fallback chosen, same hits":       {[]Hit{{alice, 136, zero}}, zero, Verdict{Relation: Other, Contact: alice, Keys: 136}, 128},
	} {
		if d := cmp.Diff(c.want, Relate(c.hits, c.ext, c.keys, nil)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestRelateKeepsToTheRule holds Relate against the rule in its own words.
func TestRelateKeepsToTheRule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		chosen := uint16(rapid.SampledFrom([]int{0, 1, 2, 4, 6, 128, 130, 256, 1<<16 - 1}).Draw(t, "chosen"))
		external := [16]byte{rapid.Byte().Draw(t, "external") % 3}
		var hits []Hit
		for n := range rapid.IntRange(0, 4).Draw(t, "hits") {
			keys := uint16(rapid.SampledFrom([]int{1, 2, 4, 6, 8, 128, 132, 256, 264}).Draw(t, "keys"))
			hits = append(hits, Hit{uuid.UUID{byte(n + 1)}, keys, [16]byte{rapid.Byte().Draw(t, "has") % 3}})
		}
		var matched, fallback, others []Hit // by chosen unique keys, by the fallback key alone, by unique keys not chosen
		for _, h := range hits {
			var byChosen, byOther, byFallback bool
			for k := range KeyCount {
				hit, wanted := h.Keys>>k&1 == 1, chosen == 0 || chosen>>k&1 == 1
				byChosen = byChosen || hit && wanted && k != keyFallback
				byOther = byOther || hit && !wanted && k != keyFallback
				byFallback = byFallback || hit && wanted && k == keyFallback
			}
			switch {
			case byChosen:
				matched = append(matched, h)
			case byOther:
				others = append(others, h)
			case byFallback:
				fallback = append(fallback, h)
			}
		}
		if len(matched) == 0 && len(others) == 0 {
			matched = fallback
		}
		want := Verdict{Relation: None}
		switch {
		case len(matched) > 1:
			want.Relation = Several
			for _, h := range matched {
				want.Several = append(want.Several, Candidate{h.Contact, h.Keys})
			}
		case len(others) > 0:
			want = Verdict{Relation: Other, Contact: others[0].Contact, Keys: others[0].Keys}
		case len(matched) == 1:
			h := matched[0]
			want = Verdict{Relation: One, Contact: h.Contact, Keys: h.Keys}
			if external[0] != 0 && h.ExternalID[0] != 0 && external[0] != h.ExternalID[0] {
				want.Relation = Other
			}
		}
		asked := make([]Hit, 0, len(hits)) // what is not asked makes no difference
		for _, h := range hits {
			if h.Keys = Asked(h.Keys, chosen); h.Keys != 0 {
				asked = append(asked, h)
			}
		}
		if d := cmp.Diff(Relate(hits, external, chosen, nil).Relation, Relate(asked, external, chosen, nil).Relation); d != "" {
			t.Fatalf("hits %v, chosen %b: matched otherwise by what is asked", hits, chosen)
		}
		if d := cmp.Diff(want, Relate(hits, external, chosen, nil)); d != "" {
			t.Fatalf("hits %v, chosen %b, external %d (-want +got):\n%s", hits, chosen, external[0], d)
		}
	})
}
