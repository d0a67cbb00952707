//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// func decodeF16NEON(dst *float32, src *uint16, n int)
TEXT ·decodeF16NEON(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2
	SUBS $16, R2
	BLT  some

wide:
	VLD1.P 32(R1), [V0.H8, V1.H8]
	FCVTL(0, 2)
	FCVTL2(0, 3)
	FCVTL(1, 4)
	FCVTL2(1, 5)
	VST1.P [V2.S4, V3.S4, V4.S4, V5.S4], 64(R0)
	SUBS   $16, R2
	BGE    wide

some:
	ADDS $12, R2
	BLT  rest

narrow:
	VLD1.P 8(R1), [V0.H4]
	FCVTL(0, 1)
	VST1.P [V1.S4], 16(R0)
	SUBS   $4, R2
	BGE    narrow

rest:
	ADDS $4, R2
	BEQ  done

one:
	MOVHU.P 2(R1), R3
	FMOVS   R3, F0
	FCVTHS  F0, F0
	FMOVS.P F0, 4(R0)
	SUBS    $1, R2
	BNE     one

done:
	RET

// func decodeSQ8NEON(dst *float32, row unsafe.Pointer, n int)
TEXT ·decodeSQ8NEON(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD row+8(FP), R1
	MOVD n+16(FP), R2
	SCALE(R1, R2)
	SUBS $16, R2
	BLT  some

wide:
	VLD1.P 16(R1), [V20.B16]
	SCALED16
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R0)
	SUBS   $16, R2
	BGE    wide

some:
	ADDS $12, R2
	BLT  rest

narrow:
	FMOVS.P 4(R1), F20
	SCALED4
	VST1.P  [V4.S4], 16(R0)
	SUBS    $4, R2
	BGE     narrow

rest:
	ADDS $4, R2
	BEQ  done

one:
	MOVB.P  1(R1), R4
	SCVTFWS R4, F0
	FMULS   F23, F0, F0
	FMOVS.P F0, 4(R0)
	SUBS    $1, R2
	BNE     one

done:
	RET
