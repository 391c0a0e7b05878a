package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/contactmill/contactmill/pkg/config"
	"github.com/contactmill/contactmill/pkg/money"
	"github.com/contactmill/contactmill/pkg/providercheck"
	"github.com/contactmill/contactmill/pkg/rpc"
	providerv1 "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
)

// providerSettings is what a check takes from its environment: the setting by which enrichment is given the key, too.
type providerSettings struct {
	Key config.Secret `env:"PROVIDER_KEY"`
}

func (p *program) provider() *cobra.Command {
	return group("provider", "Tell what providers of enrichment were asked and what it cost, and check new ones", p.providerCosts(), p.providerBatches(), p.providerCheck())
}

// providerFlags says how a provider is reached and what is asked of it.
type providerFlags struct {
	addr, key, ca  string
	plaintext      bool
	phones, emails []string
	budget         float64
	timeout        time.Duration
}

func (p *program) providerCheck() *cobra.Command {
	var f providerFlags
	c := &cobra.Command{Use: "check HOST:PORT", Short: "Hold a provider to the contract, rule by rule; it may charge for that",
		Long: "Hold a provider to the contract of contactmill.provider.v1, rule by rule. No account is needed. It is asked about numbers and\n" +
			"addresses that are set apart for examples; a provider that costs something charges for some 70 subjects and, if --budget\n" +
			"allows it, for one batch as large as it takes them. The key may also be in CONTACTMILL_PROVIDER_KEY or in the file named by\n" +
			"CONTACTMILL_PROVIDER_KEY_FILE. TLS is used, but on this machine, where it is used with --ca only.\n\n" +
			"Exit codes: 0 no rule is broken, 1 one is, or the provider cannot be reached.",
		Args: args(cobra.ExactArgs(1))}
	flags := c.Flags()
	flags.StringVar(&f.key, "key", "", "what the provider is shown: authorization: Bearer KEY")
	flags.StringVar(&f.ca, "ca", "", "`file` of the CA that the provider's certificate is from; one that the system knows if not given")
	flags.BoolVar(&f.plaintext, "plaintext", false, "no TLS: the key travels in the clear")
	flags.StringArrayVar(&f.phones, "phone", nil, "`number` in E.164 that the provider should know something of; repeatable")
	flags.StringArrayVar(&f.emails, "email", nil, "`address` likewise")
	flags.Float64Var(&f.budget, "budget", 0, "what the largest batch may cost, e.g. 2.50, in the provider's currency; it is left out where it would cost more")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "how long an answer may take")
	c.RunE = func(c *cobra.Command, a []string) error {
		f.addr = a[0]
		o, err := p.providerOptions(f)
		if err != nil {
			return err
		}
		r, err := providercheck.Run(c.Context(), o)
		if err != nil {
			return err
		}
		if !r.Passed() {
			p.exit = exitError
		}
		return p.providerReport(r)
	}
	return c
}

func (p *program) providerOptions(f providerFlags) (providercheck.Options, error) {
	o := providercheck.Options{Timeout: f.timeout, Budget: max(int64(math.Round(f.budget*1e6)), 1)} // 0 would be any sum
	if f.timeout <= 0 || f.budget < 0 {
		return o, usage{errors.New("--timeout is more than nothing, --budget not less")}
	}
	s, err := config.Part[providerSettings](p.environ)
	if err != nil {
		return o, err
	}
	if f.key != "" {
		s.Key = config.Secret(f.key)
	}
	tls := rpc.TLS{CA: f.ca, System: f.ca == "", Insecure: f.plaintext}
	if f.plaintext || f.ca == "" && local(f.addr) {
		tls = rpc.TLS{Insecure: f.plaintext}
	}
	o.Keyed = s.Key != ""
	o.Dial = func(c providercheck.Credential) (*grpc.ClientConn, error) {
		with := rpc.DialOptions{TLS: tls, Foreign: true}
		switch c {
		case providercheck.Right:
			with.Key = s.Key
		case providercheck.Wrong:
			with.Key = "another-key-than-that"
		}
		return rpc.Dial(f.addr, with)
	}
	for _, v := range f.phones {
		o.Known = append(o.Known, &providerv1.Subject{Phone: v})
	}
	for _, v := range f.emails {
		o.Known = append(o.Known, &providerv1.Subject{Email: v})
	}
	return o, nil
}

// local tells whether an address is of this machine.
func local(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

func (p *program) providerReport(r *providercheck.Report) error {
	if p.output != "table" {
		b, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("write report as JSON: %w", err)
		}
		return p.raw(b)
	}
	g := &grid{}
	g.add("RULE", "VERDICT", "SEEN")
	verdicts := map[providercheck.Verdict]int{}
	for _, one := range r.Results {
		verdicts[one.Verdict]++
		g.add(one.Rule, string(one.Verdict), printable(one.Seen))
	}
	g.print(p.out)
	for _, one := range r.Results {
		if one.Verdict == providercheck.Failed {
			fmt.Fprintf(p.out, "\nBroken: %s: %s\n", one.Rule, one.Demands)
		}
	}
	fmt.Fprintf(p.out, "\n%d rules kept, %d broken, %d skipped", verdicts[providercheck.Passed], verdicts[providercheck.Failed], verdicts[providercheck.Skipped])
	if cost := money.Text(r.ChargedMicros, r.Currency); cost != "" {
		fmt.Fprintf(p.out, "; the provider charged %s", printable(cost))
	}
	fmt.Fprintln(p.out)
	return nil
}
