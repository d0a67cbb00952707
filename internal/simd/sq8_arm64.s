//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"
#include "float_arm64.h"

#define LOAD16 \
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4] \
	VLD1.P 16(R1), [V20.B16] \
	SCALED16

#define LOAD4 \
	VLD1.P  16(R0), [V0.S4] \
	FMOVS.P 4(R1), F20 \
	SCALED4

#define LOAD1 \
	FMOVS.P 4(R0), F1 \
	MOVB.P  1(R1), R4 \
	SCVTFWS R4, F2 \
	FMULS   F23, F2, F2

TEXT l2Row<>(SB), NOSPLIT|NOFRAME, $0
	SCALE(R1, R2)
	L2_ROW(LOAD16, LOAD4, LOAD1)

TEXT dotRow<>(SB), NOSPLIT|NOFRAME, $0
	SCALE(R1, R2)
	DOT_ROW(LOAD16, LOAD4, LOAD1)

// func l2SQ8NEON(a, b unsafe.Pointer, dim int) float32
TEXT ·l2SQ8NEON(SB), NOSPLIT, $0-28
	PAIR(l2Row<>(SB))
	FMOVS F0, ret+24(FP)
	RET

// func dotSQ8NEON(a, b unsafe.Pointer, dim int) float32
TEXT ·dotSQ8NEON(SB), NOSPLIT, $0-28
	PAIR(dotRow<>(SB))
	FMOVS F0, ret+24(FP)
	RET

// func batchL2SQ8NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)
TEXT ·batchL2SQ8NEON(SB), NOSPLIT, $0-80
	BATCH(l2Row<>(SB), 0, 7, KEEP)

// func batchIPSQ8NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)
TEXT ·batchIPSQ8NEON(SB), NOSPLIT, $0-80
	BATCH(dotRow<>(SB), 0, 7, FROM_ONE)
