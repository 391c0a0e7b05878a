package main

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

func TestRender(t *testing.T) {
	t.Parallel()
	image, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
		Name: proto.String("contactmill/greet/v1/greet.proto"), Package: proto.String("contactmill.greet.v1"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("Greeting"),
			Field: []*descriptorpb.FieldDescriptorProto{{
				Name: proto.String("words"), Number: proto.Int32(1),
				Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum(),
			}},
		}},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: proto.String("GreetService"),
			Method: []*descriptorpb.MethodDescriptorProto{{
				Name: proto.String("Greet"), InputType: proto.String(".contactmill.greet.v1.Greeting"), OutputType: proto.String(".contactmill.greet.v1.Greeting"),
				ServerStreaming: proto.Bool(true),
			}},
		}},
		SourceCodeInfo: &descriptorpb.SourceCodeInfo{Location: []*descriptorpb.SourceCodeInfo_Location{
			{Path: []int32{4, 0, 2, 0}, Span: []int32{0, 0, 0}, LeadingComments: proto.String(" What is said,\n one | by one.\n")},
			{Path: []int32{6, 0, 2, 0}, Span: []int32{1, 0, 0}, LeadingComments: proto.String(" Greet answers.\n")},
		}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	page, err := render(image)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# contactmill.greet.v1\n", "## GreetService\n", "`Greet(Greeting) returns (stream Greeting)`\n\nGreet answers.\n",
		"| words | repeated string | What is said, one \\| by one. |\n",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestRenderRefusesAnythingElse(t *testing.T) {
	t.Parallel()
	for _, image := range []string{"", "not a descriptor set"} {
		if _, err := render([]byte(image)); err == nil {
			t.Errorf("of %q: got a page, want an error", image)
		}
	}
}
