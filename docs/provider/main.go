// Provider knows the country of a phone by its first digits, for 0.002 EUR: go run ./docs/provider HOST:PORT DIRECTORY KEY
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	pb "github.com/contactmill/contactmill/proto/gen/contactmill/provider/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"hash/crc32"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

var countries = []struct{ prefix, code string }{{"+1", "US"}, {"+44", "GB"}, {"+49", "DE"}}

type provider struct {
	pb.UnimplementedProviderServiceServer
	dir, key string // what was answered is in a file for each batch
	mu       sync.Mutex
}

func (p *provider) Describe(ctx context.Context, _ *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return &pb.DescribeResponse{Name: "example", Currency: "EUR", PriceMicros: 2000, MaxBatch: 5000, Remembers: durationpb.New(90 * 24 * time.Hour), PhoneFacts: []string{"country"}}, p.admit(ctx)
}

func (p *provider) Enrich(stream pb.ProviderService_EnrichServer) error {
	for err := p.admit(stream.Context()); ; {
		var q *pb.EnrichRequest
		var a *pb.EnrichResponse
		if err == nil {
			q, err = stream.Recv()
		}
		if err == io.EOF { //nolint:errorlint // gRPC returns io.EOF itself
			return nil
		}
		if err == nil {
			a, err = p.answer(q)
		}
		if err == nil {
			err = stream.Send(a)
		}
		if err != nil {
			return err
		}
	}
}

func (p *provider) answer(q *pb.EnrichRequest) (*pb.EnrichResponse, error) {
	if q.BatchId == "" || len(q.Subjects) > 5000 {
		return nil, status.Error(codes.InvalidArgument, "a batch has an id and at most 5,000 subjects")
	}
	asked := sha256.New()
	a := &pb.EnrichResponse{BatchId: q.BatchId, EmailFacts: make([]uint32, len(q.Subjects)), CostMicros: 2000 * int64(len(q.Subjects))}
	sets := map[string]uint32{} // country to the number of its set of facts, from 1; 0 is not known
	for _, s := range q.Subjects {
		fmt.Fprintf(asked, "%q %q ", s.Phone, s.Email)
		country := ""
		for _, c := range countries {
			if strings.HasPrefix(s.Phone, c.prefix) {
				country = c.code
			}
		}
		if country != "" && sets[country] == 0 {
			a.FactSets = append(a.FactSets, &pb.FactSet{Facts: []*pb.Fact{{Name: "country", Value: country}}})
			sets[country] = uint32(len(a.FactSets))
		}
		a.PhoneFacts = append(a.PhoneFacts, sets[country])
		a.SubjectChecks = append(a.SubjectChecks, crc32.Checksum([]byte(s.Phone+"\x00"+s.Email), crc32.MakeTable(crc32.Castagnoli)))
	}
	p.mu.Lock() // the same batch may be asked twice at once
	defer p.mu.Unlock()
	file := filepath.Join(p.dir, fmt.Sprintf("%x", sha256.Sum256([]byte(q.BatchId))))
	kept, err := os.ReadFile(file)
	if err == nil && !bytes.HasPrefix(kept, asked.Sum(nil)) {
		return nil, status.Error(codes.InvalidArgument, "the batch id was used for other subjects")
	}
	if err == nil { // answered before: the same again, and no charge
		return a, proto.Unmarshal(kept[sha256.Size:], a)
	}
	answered, err := proto.Marshal(a)
	if err != nil {
		return nil, err
	}
	return a, keep(file, append(asked.Sum(nil), answered...)) // here the batch is charged
}

// keep writes a file whole or not at all.
func keep(file string, content []byte) error {
	f, err := os.Create(file + ".new")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

func (p *provider) admit(ctx context.Context) error {
	if md, _ := metadata.FromIncomingContext(ctx); strings.Join(md.Get("authorization"), "") != "Bearer "+p.key {
		return status.Error(codes.Unauthenticated, "the key is not good")
	}
	return nil
}

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterProviderServiceServer(server, &provider{dir: os.Args[2], key: os.Args[3]})
	log.Println("listening on", listener.Addr())
	log.Fatal(server.Serve(listener))
}
