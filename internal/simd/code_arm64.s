//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

// The macros take 64 bytes of codes in V0 to V3 and the next values at R0. Products of a code of up to 4 bits and a value
// are added up in 16 bits for one block, of which at most 8 meet in a lane or, of 1 bit, 32, and then in 32 bits.

#define PRODUCTS(low, high) \
	SMLAL8(4, 24, low) \
	SMLAL16(4, 24, high) \
	SMLAL8(5, 25, low) \
	SMLAL16(5, 25, high) \
	SMLAL8(6, 26, low) \
	SMLAL16(6, 26, high) \
	SMLAL8(7, 27, low) \
	SMLAL16(7, 27, high)

#define VALUES \
	VLD1.P 64(R0), [V4.B16, V5.B16, V6.B16, V7.B16]

#define SHIFT(bits) \
	VUSHR $bits, V0.B16, V24.B16 \
	VUSHR $bits, V1.B16, V25.B16 \
	VUSHR $bits, V2.B16, V26.B16 \
	VUSHR $bits, V3.B16, V27.B16

#define FIRST \
	VAND V31.B16, V0.B16, V24.B16 \
	VAND V31.B16, V1.B16, V25.B16 \
	VAND V31.B16, V2.B16, V26.B16 \
	VAND V31.B16, V3.B16, V27.B16

#define MIDDLE(bits) \
	VALUES \
	SHIFT(bits) \
	VAND V31.B16, V24.B16, V24.B16 \
	VAND V31.B16, V25.B16, V25.B16 \
	VAND V31.B16, V26.B16, V26.B16 \
	VAND V31.B16, V27.B16, V27.B16 \
	PRODUCTS(18, 19)

#define ONE_BIT \
	VALUES \
	FIRST \
	PRODUCTS(18, 19) \
	MIDDLE(1) \
	MIDDLE(2) \
	MIDDLE(3) \
	MIDDLE(4) \
	MIDDLE(5) \
	MIDDLE(6) \
	VALUES \
	SHIFT(7) \
	PRODUCTS(18, 19)

#define TWO_BITS \
	VALUES \
	FIRST \
	PRODUCTS(18, 19) \
	MIDDLE(2) \
	MIDDLE(4) \
	VALUES \
	SHIFT(6) \
	PRODUCTS(18, 19)

#define FOUR_BITS \
	VALUES \
	FIRST \
	PRODUCTS(18, 19) \
	VALUES \
	SHIFT(4) \
	PRODUCTS(18, 19)

// Codes of 8 bits are two of 4 bits that meet the same values. The upper ones have sums of their own.
#define EIGHT_BITS \
	VALUES \
	FIRST \
	PRODUCTS(18, 19) \
	VEOR V20.B16, V20.B16, V20.B16 \
	VEOR V21.B16, V21.B16, V21.B16 \
	SHIFT(4) \
	PRODUCTS(20, 21) \
	SADALP4(20, 22) \
	SADALP4(21, 22)

// PART adds up a part of the row whose codes start at R1, with the query in R19.
#define PART(values, number, block, next, done) \
	MOVD values(R19), R0 \
	MOVD number(R19), R2 \
	CBZ  R2, done \
next: \
	VLD1.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16] \
	VEOR   V18.B16, V18.B16, V18.B16 \
	VEOR   V19.B16, V19.B16, V19.B16 \
	block \
	SADALP4(18, 16) \
	SADALP4(19, 17) \
	SUBS   $1, R2 \
	BNE    next \
done: \

// Row routines take the row in R1 and the query in R19. They leave the sum in R3 and change no general register above R13.

#define CLEAR(mask) \
	VMOVI $mask, V31.B16 \
	VEOR  V16.B16, V16.B16, V16.B16 \
	VEOR  V17.B16, V17.B16, V17.B16

#define SUM \
	VADD  V17.S4, V16.S4, V16.S4 \
	VADDV V16.S4, V16 \
	VMOV  V16.S[0], R3 \
	RET

TEXT row1<>(SB), NOSPLIT|NOFRAME, $0
	CLEAR(1)
	PART(CodeQuery_Values, CodeQuery_Blocks, ONE_BIT, block, sum)
	SUM

TEXT row2<>(SB), NOSPLIT|NOFRAME, $0
	CLEAR(3)
	PART(CodeQuery_Values, CodeQuery_Blocks, TWO_BITS, block, sum)
	SUM

TEXT row3<>(SB), NOSPLIT|NOFRAME, $0
	CLEAR(1)
	MOVD  R1, R4
	MOVD  CodeQuery_High(R19), R1
	ADD   R4, R1
	PART(CodeQuery_HighValues, CodeQuery_HighBlocks, ONE_BIT, high, low)
	VSHL  $2, V16.S4, V16.S4
	VSHL  $2, V17.S4, V17.S4
	VMOVI $3, V31.B16
	MOVD  R4, R1
	PART(CodeQuery_Values, CodeQuery_Blocks, TWO_BITS, block, sum)
	SUM

TEXT row4<>(SB), NOSPLIT|NOFRAME, $0
	CLEAR(15)
	PART(CodeQuery_Values, CodeQuery_Blocks, FOUR_BITS, block, sum)
	SUM

TEXT row8<>(SB), NOSPLIT|NOFRAME, $0
	CLEAR(15)
	VEOR V22.B16, V22.B16, V22.B16
	PART(CodeQuery_Values, CodeQuery_Blocks, EIGHT_BITS, block, sum)
	VSHL $4, V22.S4, V22.S4
	VADD V22.S4, V16.S4, V16.S4
	SUM

// LARGER makes R16 as large as the end of a part.
#define LARGER(at, number) \
	MOVD number(R19), R4 \
	ADD  R4<<6, at, R4 \
	CMP  R16, R4 \
	CSEL GT, R4, R16, R16

#define LOW_SIZE \
	LARGER(ZR, CodeQuery_Blocks)

#define BOTH_SIZES \
	LOW_SIZE \
	MOVD CodeQuery_High(R19), R5 \
	LARGER(R5, CodeQuery_HighBlocks)

// CODES runs a row routine over the list and asks for rows 24 ahead.
#define CODES(routine, sizes) \
	MOVD  q+0(FP), R19 \
	MOVD  base+8(FP), R20 \
	MOVD  stride+16(FP), R21 \
	MOVD  ids_base+24(FP), R22 \
	MOVD  ids_len+32(FP), R23 \
	MOVD  out_base+48(FP), R24 \
	ADD   R23<<2, R22, R23 \
	MOVD  R22, R25 \
	ADD   $(4*24), R22, R17 \
	MOVD  CodeQuery_Factors(R19), R26 \
	ADD   $8, R26, R16 \
	sizes \
	FMOVS CodeQuery_Add(R19), F12 \
	FMOVS CodeQuery_Alpha(R19), F13 \
	FMOVS CodeQuery_Beta(R19), F14 \
	FMOVS CodeQuery_Gamma(R19), F15 \
	B     test \
ask: \
	CMP     R23, R17 \
	CSEL    HI, R23, R17, R3 \
	CMP     R3, R25 \
	BHS     compute \
	MOVWU.P 4(R25), R4 \
	MADD    R21, R20, R4, R4 \
	ADD     R16, R4, R5 \
	AND     $~63, R4 \
line: \
	PRFM    (R4), PLDL1KEEP \
	ADD     $64, R4 \
	CMP     R5, R4 \
	BLO     line \
	B       ask \
compute: \
	MOVWU.P 4(R22), R1 \
	MADD    R21, R20, R1, R1 \
	ADD     R26, R1, R14 \
	BL      routine \
	SCVTFWS R3, F0 \
	FMADDS  F13, F14, F0, F0 \
	FMOVS   (R14), F1 \
	FMOVS   4(R14), F2 \
	FMULS   F12, F1, F1 \
	FMADDS  F2, F1, F0, F1 \
	FADDS   F15, F1, F1 \
	FMOVS.P F1, 4(R24) \
	ADD     $4, R17 \
test: \
	CMP     R23, R22 \
	BLO     ask \
	RET

// func codes1NEON(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)
TEXT ·codes1NEON(SB), NOSPLIT, $0-72
	CODES(row1<>(SB), LOW_SIZE)

// func codes2NEON(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)
TEXT ·codes2NEON(SB), NOSPLIT, $0-72
	CODES(row2<>(SB), LOW_SIZE)

// func codes3NEON(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)
TEXT ·codes3NEON(SB), NOSPLIT, $0-72
	CODES(row3<>(SB), BOTH_SIZES)

// func codes4NEON(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)
TEXT ·codes4NEON(SB), NOSPLIT, $0-72
	CODES(row4<>(SB), LOW_SIZE)

// func codes8NEON(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32)
TEXT ·codes8NEON(SB), NOSPLIT, $0-72
	CODES(row8<>(SB), LOW_SIZE)
