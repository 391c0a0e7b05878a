package systemtest

import (
	"os"
	"testing"
)

// TestSystem runs the cases against each topology.
func TestSystem(t *testing.T) {
	for _, o := range topologies(t) {
		t.Run(o.name, func(t *testing.T) {
			s := start(t, o)
			t.Run("cases", func(t *testing.T) {
				for _, c := range cases() {
					t.Run(c.name, func(t *testing.T) {
						t.Parallel()
						c.run(t, s)
					})
				}
			})
			for _, c := range disturbances(s) {
				t.Run(c.name, func(t *testing.T) { c.run(t, s) })
			}
		})
	}
}

type testCase struct {
	name string
	run  func(*testing.T, *target)
}

// cases run side by side, each in an account of its own.
func cases() []testCase {
	return []testCase{
		{"Congress", congress},
		{"Application", application},
		{"Resume", resume},
		{"RequestID", requestID},
		{"BadFiles", badFiles},
		{"BadUploads", badUploads},
		{"BadCallers", badCallers},
		{"Package", packageTooSmall},
		{"PackageShared", packageShared},
		{"PackageCrowded", packageCrowded},
		{"Lists", lists},
		{"Check", check},
		{"Order", order},
		{"Events", events},
		{"Mail", mails},
		{"Question", question},
		{"ByHand", byHand},
		{"Merging", page("merging.md")},
		{"Editing", editing},
		{"KeysChosen", keysChosen},
		{"Newest", newest},
		{"Contract", contract},
		{"Retry", retry},
		{"Cancel", cancelled},
		{"Shortest", shortest},
		{"Chatwoot", chatwoot},
		{"Naughty", naughty},
		{"OneTable", oneTable},
		{"OwnFields", ownFields},
		{"Corrected", corrected},
		{"HostileRows", hostileRows},
		{"HostileMany", hostileMany},
		{"HostileFiles", hostileFiles},
		{"Sequences", sequences},
	}
}

// disturbances stop parts and processes, so each has the target to itself. Those that stop one service while others go on
// need services with processes of their own, and those that want its work done meanwhile need a second one. What one process
// for each service shows of the rest, two show too: it is left to the long version, and to who asks for that topology.
func disturbances(s *target) []testCase {
	var all []testCase
	if s.replicas != 1 || long() || os.Getenv("CONTACTMILL_TOPOLOGY") != "" {
		all = append(all,
			testCase{"Drain", drain},
			testCase{"PostgresAway", func(t *testing.T, s *target) { away(t, s, "postgres") }},
			testCase{"S3Away", func(t *testing.T, s *target) { away(t, s, "s3") }},
			testCase{"Wiped", wiped},
			testCase{"Killed", killed})
	}
	if s.replicas == 0 {
		all = append(all, testCase{"Restarted", restarted})
	}
	if s.replicas > 0 {
		all = append(all, testCase{"Queue", queue}, testCase{"CancelPaused", cancelledPaused})
	}
	if s.replicas > 1 {
		all = append(all, testCase{"Paused", paused})
	}
	return all
}
