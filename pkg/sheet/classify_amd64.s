//go:build !purego

#include "textflag.h"

// func classifyAVX2(data *byte, groups int, separators, paired *uint64, delimiter, quote byte) (wide uint32)
TEXT ·classifyAVX2(SB), NOSPLIT, $0-44
	MOVQ         data+0(FP), SI
	MOVQ         groups+8(FP), CX
	MOVQ         separators+16(FP), DI
	MOVQ         paired+24(FP), DX
	VPBROADCASTB delimiter+32(FP), Y0
	VPBROADCASTB quote+33(FP), Y1
	MOVL         $10, AX
	VMOVD        AX, X2
	VPBROADCASTB X2, Y2
	VPXOR        Y3, Y3, Y3           // all bytes so far, or'ed
	VPCMPEQB     X10, X10, X10        // times which, without carrying, each bit is spread over all above it

group:
	VMOVDQU    (SI), Y4
	VMOVDQU    32(SI), Y5
	VPOR       Y4, Y3, Y3
	VPOR       Y5, Y3, Y3
	VPCMPEQB   Y4, Y0, Y6
	VPCMPEQB   Y4, Y2, Y7
	VPCMPEQB   Y5, Y0, Y8
	VPCMPEQB   Y5, Y2, Y9
	VPCMPEQB   Y4, Y1, Y4
	VPCMPEQB   Y5, Y1, Y5
	VPOR       Y6, Y7, Y6
	VPOR       Y8, Y9, Y8
	VPMOVMSKB  Y6, AX
	VPMOVMSKB  Y8, BX
	VPMOVMSKB  Y4, R8
	VPMOVMSKB  Y5, R9
	SHLQ       $32, BX
	SHLQ       $32, R9
	ORQ        BX, AX
	ORQ        R9, R8
	VMOVQ      R8, X11
	VPCLMULQDQ $0, X10, X11, X11
	MOVQ       AX, (DI)
	VMOVQ      X11, (DX)
	ADDQ       $64, SI
	ADDQ       $8, DI
	ADDQ       $8, DX
	DECQ       CX
	JNZ        group

	VPMOVMSKB  Y3, AX
	MOVL       AX, wide+40(FP)
	VZEROUPPER
	RET

// Eight places are written at a time, whether there are as many or not: how many there are in 64 bytes no processor can
// guess, and a wrong guess costs more than they do.
#define PLACE(offset) \
	TZCNTQ AX, R10;           \
	BLSRQ  AX, AX;            \
	ADDL   R8, R10;           \
	MOVL   R10, offset(R11)

// func flattenBMI(marks *uint64, groups int, base uint32, ends *uint32, room int) (read, wrote int)
TEXT ·flattenBMI(SB), NOSPLIT, $0-56
	MOVQ marks+0(FP), SI
	MOVQ groups+8(FP), CX
	MOVL base+16(FP), R8
	MOVQ ends+24(FP), DI
	MOVQ room+32(FP), DX
	XORQ R9, R9                // read
	XORQ BX, BX                // wrote
	SUBQ $64, DX               // the most that leaves room for a group

mask:
	CMPQ    R9, CX
	JGE     end
	CMPQ    BX, DX
	JGT     end
	MOVQ    (SI)(R9*8), AX
	INCQ    R9
	POPCNTQ AX, R12
	LEAQ    (DI)(BX*4), R11
	ADDQ    R12, BX

places:
	PLACE(0)
	PLACE(4)
	PLACE(8)
	PLACE(12)
	PLACE(16)
	PLACE(20)
	PLACE(24)
	PLACE(28)
	ADDQ      $32, R11
	TESTQ     AX, AX
	JNZ       places
	ADDL      $64, R8
	JMP       mask

end:
	MOVQ R9, read+40(FP)
	MOVQ BX, wrote+48(FP)
	RET
