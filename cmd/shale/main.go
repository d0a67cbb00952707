// Command shale builds, searches and judges vector indexes. `shale help` tells more.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1 // what was asked failed, or the index is damaged
	exitUsage       = 2 // the command line is wrong
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// usageError is a mistake in the command line.
type usageError struct {
	command *cobra.Command
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagef says what is wrong with the command line, and what would be right.
func usagef(c *cobra.Command, format string, args ...any) error {
	return &usageError{c, fmt.Errorf(format, args...)}
}

// run does what the command line says and returns the exit code.
func run(ctx context.Context, args []string, out, messages io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(messages)
	err := root.ExecuteContext(ctx)
	var usage *usageError
	var begun *begunError
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil && errors.As(err, &begun):
		fmt.Fprintf(messages, "shale: interrupted: %s\n", begun.hint())
		return exitInterrupted
	case ctx.Err() != nil:
		fmt.Fprintln(messages, "shale: interrupted, nothing was written")
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(messages, "shale: %v\nTry \"%s --help\".\n", err, usage.command.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(messages, "shale: %v\n", err)
	return exitFailed
}
