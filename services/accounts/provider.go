package accounts

import (
	"github.com/contactmill/contactmill/pkg/fault"
	accountsv1 "github.com/contactmill/contactmill/proto/gen/contactmill/accounts/v1"
)

// defaultProviderDays is for how many days a provider's answers are used again where nobody has said it.
const defaultProviderDays = 90

// down is what a job does whose provider does not answer, as it is stored.
type down string

const (
	wait     down = "wait"
	complete down = "complete"
)

// setProvider reads what is to be changed of how the account deals with its provider.
func (c *change) setProvider(p *accountsv1.UpdateAccountRequest) error {
	if p.ProviderDown != nil {
		policy, ok := map[accountsv1.ProviderDown]down{
			accountsv1.ProviderDown_PROVIDER_DOWN_UNSPECIFIED: wait,
			accountsv1.ProviderDown_PROVIDER_DOWN_WAIT:        wait,
			accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE:    complete,
		}[*p.ProviderDown]
		if !ok {
			return fault.New(fault.Invalid, "bad-policy", "there is no policy %d for a provider that does not answer", *p.ProviderDown).Hint("say wait or complete")
		}
		c.Down = &policy
	}
	if p.ProviderDays != nil {
		days := *p.ProviderDays
		if days == 0 {
			days = defaultProviderDays
		}
		if days < 1 || days > mostDays {
			return fault.New(fault.Invalid, "bad-days", "a provider's answers are used again for 1 to %d days, not %d", mostDays, days).Hint("0 is the default, %d", defaultProviderDays)
		}
		c.Known = &days
	}
	return nil
}

func fromDown(stored down) accountsv1.ProviderDown {
	if stored == complete {
		return accountsv1.ProviderDown_PROVIDER_DOWN_COMPLETE
	}
	return accountsv1.ProviderDown_PROVIDER_DOWN_WAIT
}
