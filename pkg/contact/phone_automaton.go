package contact

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"

	"github.com/nyaruka/phonenumbers"
)

// automaton is a deterministic finite automaton over the ten digits. State 0 is dead, 1 the start.
type automaton struct {
	next [][10]uint16
	hit  []bool // the text so far is a match, whatever follows
	end  []bool // the text so far is a match if it ends here
}

func (a *automaton) matches(digits []byte) bool {
	state := uint16(1)
	for _, c := range digits {
		if state = a.next[state][c-'0']; state == 0 {
			return false
		}
	}
	return a.end[state]
}

// prefixes reports whether the pattern matches at the start of the digits.
func (a *automaton) prefixes(digits []byte) bool {
	state := uint16(1)
	for _, c := range digits {
		if a.hit[state] {
			return true
		}
		if state = a.next[state][c-'0']; state == 0 {
			return false
		}
	}
	return a.hit[state] || a.end[state]
}

// branch is a compiled pattern that takes part in an automaton, with the lengths it admits as a bit set (0: all).
type branch struct {
	program *syntax.Prog
	lengths uint32
	general bool
}

// compileNumbers makes the automaton of a region's valid national numbers: those of the general description that are of
// some type, each with its possible lengths.
func compileNumbers(m *phonenumbers.PhoneMetadata) *automaton {
	branches := []branch{numberBranch(m.GetGeneralDesc(), true)}
	for _, d := range []*phonenumbers.PhoneNumberDesc{m.GetFixedLine(), m.GetMobile(), m.GetTollFree(), m.GetPremiumRate(),
		m.GetSharedCost(), m.GetPersonalNumber(), m.GetVoip(), m.GetPager(), m.GetUan(), m.GetVoicemail()} {
		if p := d.GetNationalNumberPattern(); p != "" && p != "NA" {
			branches = append(branches, numberBranch(d, false))
		}
	}
	return compile(branches, true)
}

func numberBranch(d *phonenumbers.PhoneNumberDesc, general bool) branch {
	return branch{program: compilePattern(d.GetNationalNumberPattern()), lengths: lengthsOf(d), general: general}
}

// lengthsOf is a bit for each possible length, 0 when none is named.
func lengthsOf(d *phonenumbers.PhoneNumberDesc) (bits uint32) {
	for _, n := range d.GetPossibleLength() {
		if n >= 0 && n < 31 {
			bits |= 1 << n
		} else {
			bits |= 1 << 31 // -1: no number has it
		}
	}
	return bits
}

func compilePrefix(pattern string) *automaton {
	return compile([]branch{{program: compilePattern(pattern)}}, false)
}

// compilePattern anchors nothing: the automaton starts at the first digit and knows for itself when it is at the end.
func compilePattern(pattern string) *syntax.Prog {
	tree, err := syntax.Parse("(?:"+pattern+")", syntax.Perl)
	if err != nil {
		panic("contact: pattern of the phone metadata: " + err.Error())
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		panic("contact: pattern of the phone metadata: " + err.Error())
	}
	return program
}

// maxPhoneDigits is the most digits a national number is followed for; E.164 knows 15 with the calling code.
const maxPhoneDigits = 18

// thread is a place in the program of a branch.
type thread struct{ branch, pc uint32 }

// compile runs all branches in step (the subset construction). With lengths it also counts digits, and a state ends a
// match when the general branch and some other do.
func compile(branches []branch, lengths bool) *automaton {
	a := &automaton{next: make([][10]uint16, 2), hit: make([]bool, 2), end: make([]bool, 2)}
	start := make([]thread, len(branches))
	for i, b := range branches {
		start[i] = thread{uint32(i), uint32(b.program.Start)}
	}
	type state struct {
		threads []thread
		depth   int
	}
	states := []state{{}, {follow(branches, start, true, false), 0}}
	ids := map[string]uint16{}
	key := func(s state) string {
		buf := make([]byte, 0, 8*len(s.threads)+1)
		if lengths {
			buf = append(buf, byte(s.depth))
		}
		for _, t := range s.threads {
			buf = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(buf, t.branch), t.pc)
		}
		return string(buf)
	}
	ids[key(states[1])] = 1
	for i := 1; i < len(states); i++ {
		s := states[i]
		a.hit[i] = accepts(branches, s.threads, s.depth, lengths)
		a.end[i] = accepts(branches, follow(branches, s.threads, i == 1, true), s.depth, lengths)
		if s.depth == maxPhoneDigits {
			continue
		}
		for digit := range 10 {
			var to []thread
			for _, t := range s.threads {
				in := &branches[t.branch].program.Inst[t.pc]
				switch in.Op {
				case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
					if in.MatchRune(rune('0' + digit)) {
						to = append(to, thread{t.branch, in.Out})
					}
				}
			}
			if len(to) == 0 {
				continue
			}
			next := state{follow(branches, to, false, false), s.depth + 1}
			if !lengths {
				next.depth = 0
			}
			k := key(next)
			id, ok := ids[k]
			if !ok {
				id = uint16(len(states))
				ids[k] = id
				states = append(states, next)
				a.next = append(a.next, [10]uint16{})
				a.hit = append(a.hit, false)
				a.end = append(a.end, false)
			}
			a.next[i][digit] = id
		}
	}
	return a
}

// accepts reports whether the threads hold a match: of any branch, or with lengths of the general one and another.
func accepts(branches []branch, threads []thread, depth int, lengths bool) bool {
	general, special := false, false
	for _, t := range threads {
		b := &branches[t.branch]
		if b.program.Inst[t.pc].Op != syntax.InstMatch || b.lengths != 0 && b.lengths>>depth&1 == 0 {
			continue
		}
		if !lengths {
			return true
		}
		if b.general {
			general = true
		} else {
			special = true
		}
	}
	return general && special
}

// follow adds what the threads reach without a digit, sorted and each once.
func follow(branches []branch, threads []thread, begin, end bool) []thread {
	seen := make(map[thread]bool, 2*len(threads))
	stack := slices.Clone(threads)
	for len(stack) > 0 {
		t := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[t] {
			continue
		}
		seen[t] = true
		in := &branches[t.branch].program.Inst[t.pc]
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, thread{t.branch, in.Out}, thread{t.branch, in.Arg})
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, thread{t.branch, in.Out})
		case syntax.InstEmptyWidth:
			want := syntax.EmptyOp(in.Arg)
			if want&(syntax.EmptyBeginText|syntax.EmptyBeginLine) != 0 && !begin || want&(syntax.EmptyEndText|syntax.EmptyEndLine) != 0 && !end {
				continue
			}
			stack = append(stack, thread{t.branch, in.Out})
		}
	}
	all := make([]thread, 0, len(seen))
	for t := range seen {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b thread) int {
		if a.branch != b.branch {
			return int(a.branch) - int(b.branch)
		}
		return int(a.pc) - int(b.pc)
	})
	return all
}
