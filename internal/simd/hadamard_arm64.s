//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// BUTTERFLY makes a sum and a difference of two vectors.
#define BUTTERFLY(a, b, sum, difference) \
	FADD4(b, a, sum) \
	FSUB4(b, a, difference)

// hadamardNEON takes no fewer elements than 8.
//
// func hadamardNEON(x, signs *float32, n int)
TEXT ·hadamardNEON(SB), NOSPLIT, $0-24
	MOVD x+0(FP), R0
	MOVD signs+8(FP), R1
	MOVD n+16(FP), R2
	ADD  R2<<2, R0, R2
	MOVD R0, R3

	// The steps within 8 elements. Transposed, those to add lie in two vectors.
eight:
	VLD1   (R3), [V0.S4, V1.S4]
	VLD1.P 32(R1), [V2.S4, V3.S4]
	FMUL4(2, 0, 0)
	FMUL4(3, 1, 1)
	VTRN1  V1.S4, V0.S4, V4.S4
	VTRN2  V1.S4, V0.S4, V5.S4
	BUTTERFLY(4, 5, 6, 7)
	VTRN1  V7.D2, V6.D2, V4.D2
	VTRN2  V7.D2, V6.D2, V5.D2
	BUTTERFLY(4, 5, 6, 7)
	VUZP1  V7.S4, V6.S4, V0.S4
	VUZP2  V7.S4, V6.S4, V1.S4
	BUTTERFLY(0, 1, 2, 3)
	VST1.P [V2.S4, V3.S4], 32(R3)
	CMP    R2, R3
	BLO    eight

	// Two steps at once, between elements R4 bytes apart and twice that.
	MOVD $32, R4

pass:
	ADD R4<<1, R0, R6
	CMP R2, R6
	BHI done           // R4 is all there is
	BEQ last
	MOVD R0, R3

block:
	ADD R4, R3, R5     // the second of four runs
	MOVD R5, R9

four:
	ADD R4, R5, R6
	ADD R4, R6, R7
	VLD1   (R3), [V0.S4, V1.S4]
	VLD1   (R5), [V2.S4, V3.S4]
	VLD1   (R6), [V4.S4, V5.S4]
	VLD1   (R7), [V6.S4, V7.S4]
	BUTTERFLY(0, 2, 16, 18)
	BUTTERFLY(1, 3, 17, 19)
	BUTTERFLY(4, 6, 20, 22)
	BUTTERFLY(5, 7, 21, 23)
	BUTTERFLY(16, 20, 0, 4)
	BUTTERFLY(17, 21, 1, 5)
	BUTTERFLY(18, 22, 2, 6)
	BUTTERFLY(19, 23, 3, 7)
	VST1.P [V0.S4, V1.S4], 32(R3)
	VST1.P [V2.S4, V3.S4], 32(R5)
	VST1   [V4.S4, V5.S4], (R6)
	VST1   [V6.S4, V7.S4], (R7)
	CMP    R9, R3
	BLO    four
	ADD    R4<<1, R3
	ADD    R4, R3
	CMP    R2, R3
	BLO    block
	LSL    $2, R4
	B      pass

	// One step is left.
last:
	MOVD R0, R3
	ADD  R4, R0, R5

two:
	VLD1   (R3), [V0.S4, V1.S4]
	VLD1   (R5), [V2.S4, V3.S4]
	BUTTERFLY(0, 2, 4, 6)
	BUTTERFLY(1, 3, 5, 7)
	VST1.P [V4.S4, V5.S4], 32(R3)
	VST1.P [V6.S4, V7.S4], 32(R5)
	CMP    R2, R5
	BLO    two

done:
	RET
