//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"
#include "float_arm64.h"

#define LOAD16 \
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4] \
	VLD1.P 64(R1), [V4.S4, V5.S4, V6.S4, V7.S4]

#define LOAD4 \
	VLD1.P 16(R0), [V0.S4] \
	VLD1.P 16(R1), [V4.S4]

#define LOAD1 \
	FMOVS.P 4(R0), F1 \
	FMOVS.P 4(R1), F2

TEXT l2Row<>(SB), NOSPLIT|NOFRAME, $0
	L2_ROW(LOAD16, LOAD4, LOAD1)

TEXT dotRow<>(SB), NOSPLIT|NOFRAME, $0
	DOT_ROW(LOAD16, LOAD4, LOAD1)

// func l2F32NEON(a, b unsafe.Pointer, dim int) float32
TEXT ·l2F32NEON(SB), NOSPLIT, $0-28
	PAIR(l2Row<>(SB))
	FMOVS F0, ret+24(FP)
	RET

// func dotF32NEON(a, b unsafe.Pointer, dim int) float32
TEXT ·dotF32NEON(SB), NOSPLIT, $0-28
	PAIR(dotRow<>(SB))
	FMOVS F0, ret+24(FP)
	RET

// func batchL2F32NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)
TEXT ·batchL2F32NEON(SB), NOSPLIT, $0-80
	BATCH(l2Row<>(SB), 2, 0, KEEP)

// func batchIPF32NEON(query, base unsafe.Pointer, stride uintptr, dim int, ids []uint32, out []float32)
TEXT ·batchIPF32NEON(SB), NOSPLIT, $0-80
	BATCH(dotRow<>(SB), 2, 0, FROM_ONE)
