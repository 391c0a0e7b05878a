package mailbox

import (
	"strconv"
	"strings"
	"time"
)

// Fault is what goes wrong with one message; the zero value is nothing.
type Fault struct {
	Do    Action
	Delay time.Duration // before anything else
}

// Action is the way in which a message goes wrong.
type Action string

// The sender of a kept message that was dropped cannot know that it arrived: it hears the same as after [DropUnkept].
const (
	Accept       Action = ""
	Refuse       Action = "refuse"   // 451, not kept
	Reject       Action = "reject"   // 550, not kept
	DropUnkept   Action = "unkept"   // connection cut, not kept
	DropKept     Action = "kept"     // kept, connection cut before the 250
	DropAnswered Action = "answered" // kept, connection cut right after the 250
)

// FaultDomain is the domain of recipients that tell the server by their address what shall go wrong.
const FaultDomain = "fault.test"

// ByRecipient reads the fault from the first recipient of the domain [FaultDomain]. The local part is ACTION-TIMES.ANYTHING or
// delay-MILLISECONDS.ANYTHING: a message to refuse-2.x7@fault.test is refused twice and then accepted. So tests that share one server
// stay apart. Any other recipient has no fault, and an address with an unknown action is rejected.
func ByRecipient(e Envelope) Fault {
	for _, to := range e.To {
		local, ok := strings.CutSuffix(strings.ToLower(to), "@"+FaultDomain)
		if !ok {
			continue
		}
		word, _, _ := strings.Cut(local, ".")
		name, count, _ := strings.Cut(word, "-")
		number, err := strconv.Atoi(count)
		if err != nil {
			return Fault{Do: Reject}
		}
		switch action := Action(name); action {
		case "delay":
			return Fault{Delay: time.Duration(number) * time.Millisecond}
		case Refuse, Reject, DropUnkept, DropKept, DropAnswered:
			if e.Attempt <= number {
				return Fault{Do: action}
			}
			return Fault{}
		}
		return Fault{Do: Reject}
	}
	return Fault{}
}
