package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/observability-first/scaffold/internal/image/sbom"
	"github.com/observability-first/scaffold/internal/project"
)

type sbomOptions struct {
	binary   string
	version  string
	out      string
	licenses string
}

func newSBOMCommand(g *globals) *cobra.Command {
	var o sbomOptions
	cmd := &cobra.Command{
		Use:   "sbom BINARY",
		Short: "List the modules in the service's binary, with licenses",
		Long: "Write a CycloneDX document of the modules that the Go build recorded in a binary,\n" +
			"with version, checksum and license. Licenses are read from vendor/. If a\n" +
			"license is unknown, the error names the module, and nothing is written.\n\n" +
			"The same binary gives the same document. make sbom calls this.",
		Example: "  scaffold sbom bin/linux/orders -o bin/sbom.json --licenses bin/licenses.txt",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(cmd, "%d binaries are named; name one, such as bin/linux/orders", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			o.binary = args[0]
			return runSBOM(g, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.version, "release", "dev", "version of the service, such as v1.4.2")
	flags.StringVarP(&o.out, "out", "o", "", "file to write the document to (default: standard output)")
	flags.StringVar(&o.licenses, "licenses", "", "file to write a table of module, version and license to (default: no file)")
	return cmd
}

// listed is the JSON document of scaffold sbom if the SBOM is written to a file. Its keys are
// public.
type listed struct {
	File     string `json:"file"`
	Licenses string `json:"licenses,omitempty"`
	Modules  int    `json:"modules"`
}

func runSBOM(g *globals, o sbomOptions) error {
	bill, err := readBill(o)
	if err != nil {
		return err
	}
	document, err := bill.JSON()
	if err != nil {
		return err
	}
	if err := writeOutput(o.licenses, bill.Licenses()); err != nil {
		return err
	}
	if o.out == "" { // always JSON, for any --output
		_, err := g.Streams.Out.Write(document)
		return err
	}
	if err := writeOutput(o.out, document); err != nil {
		return err
	}
	result := listed{File: o.out, Licenses: o.licenses, Modules: bill.Modules()}
	if !g.emit(result) {
		g.printf("%s: %s, each with a license\n", o.out, plural(result.Modules, "module"))
	}
	return nil
}

func readBill(o sbomOptions) (sbom.Bill, error) {
	dir, err := project.FindService("")
	if err != nil {
		return sbom.Bill{}, err
	}
	service, err := project.LoadSpec(dir, "")
	if err != nil {
		return sbom.Bill{}, err
	}
	subject, err := sbom.Read(o.binary, service.Name, o.version)
	if err != nil {
		return sbom.Bill{}, err
	}
	module, err := project.ModuleDirectory(dir)
	if err != nil {
		return sbom.Bill{}, err
	}
	return sbom.New(subject, os.DirFS(module))
}
